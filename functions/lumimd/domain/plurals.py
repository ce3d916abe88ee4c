"""Formats counts in the output of operator commands: `1 visit`, `2 visits`, `once`, `3 times`."""


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return `count` with its noun; `many` is the plural, by default `one` with an "s"."""
    noun = one if count == 1 else many or f"{one}s"
    return f"{count:,} {noun}"


def times(count: int) -> str:
    """Return `once`, `twice`, `3 times` and so on."""
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")


def does(count: int, one: str, many: str) -> str:
    """Return the verb form for `count` subjects: `one` for 1, else `many` (`is` or `are`)."""
    return one if count == 1 else many
