"""Read the elements of WebM and Matroska files."""

from collections.abc import Iterator

from lumimd.adapters.measuring.recording import Recording

Element = tuple[int, int, int | None]
"""An element: its id, and the offsets at which its content begins and ends (None: unknown)."""


def elements(file: Recording, offset: int, end: int) -> Iterator[Element]:
    """Yield the elements between two offsets, up to the first element of unknown size."""
    while offset < min(end, file.size):
        head = file.at(offset, 12)
        kind, width = vint(head, keep_marker=True)
        size, wide = vint(head[width:], keep_marker=False)
        if kind is None or size is None or width > 4:
            return
        begins = offset + width + wide
        unknown = size == (1 << 7 * wide) - 1
        yield kind, begins, None if unknown else begins + size
        if unknown:
            return
        offset = begins + size


def vint(data: bytes, *, keep_marker: bool) -> tuple[int | None, int]:
    """Read a number of variable width; its first bits give the width. Return both."""
    if not data or not data[0]:
        return None, 0
    width = 9 - data[0].bit_length()
    if len(data) < width:
        return None, 0
    value = int.from_bytes(data[:width])
    return (value if keep_marker else value & (1 << 7 * width) - 1), width


def number(file: Recording, begins: int, ends: int | None) -> int:
    """Read an integer; return 0 if the field is too wide for an integer."""
    if ends is None or not 0 < ends - begins <= 8:
        return 0
    return int.from_bytes(file.at(begins, ends - begins))
