"""What is said while traffic is moved: a reader that is gone stops no move half way."""


class Saying:
    """Says lines as they come, and keeps the first error until the moves are over."""

    def __init__(self) -> None:
        self._failed: OSError | None = None

    def __call__(self, line: str) -> None:
        """Say a line, unless an earlier one could not be said."""
        if self._failed is not None:
            return
        try:
            print(line, flush=True)
        except OSError as error:  # a closed pipe, a full disk
            self._failed = error

    def end(self) -> None:
        """After the last move.

        Raises:
            OSError: not all was said; a BrokenPipeError where nobody reads any more.
        """
        if self._failed is not None:
            raise self._failed
