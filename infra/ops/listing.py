"""Prints rows for people, as a table or, on a narrow terminal, with one field per line.

Operators copy ids, so no value is truncated: a column of ids has its full width. If that does not
fit, each row is printed as lines of `field  value`, as in the expanded display of psql. Only
columns of sentences wrap, and only between words.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

WRAPPED: Final = frozenset(
    {"trouble", "why not", "because", "outcome and change", "finding", "count"}
)
"""The columns that may wrap, since they contain sentences or lists of codes."""

LEAST: Final = 16
"""The smallest readable width of a column that may wrap."""


class Listing:
    """Rows with named columns. A table that is too wide first omits the column `dropped_first`."""

    def __init__(self, *columns: str, dropped_first: str | None = None) -> None:
        self._columns: Final = columns
        self._dropped_first: Final = dropped_first
        self._rows: Final[list[tuple[Text, ...]]] = []
        self.title: str | None = None
        self.caption: str | None = None

    def add_row(self, *cells: str | Text) -> None:
        """Add a row: one cell per column, in rich's markup."""
        found = tuple(Text.from_markup(each) if isinstance(each, str) else each for each in cells)
        assert len(found) == len(self._columns)
        self._rows.append(found)

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        if self.title:
            yield from _lines(Text(self.title), options.max_width)
        yield from self._drawn(console, options)
        if self.caption:
            yield from _lines(Text(self.caption), options.max_width)

    def _drawn(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        everything = range(len(self._columns))
        without = [i for i in everything if self._columns[i] != self._dropped_first]
        for shown in (everything, without):
            widths = self._widths(shown, options.max_width)
            if widths is not None:
                yield self._table(shown, widths)
                return
        fields = [self._columns[i] for i in without]
        for row in self._rows:
            yield ""
            yield from field_lines(
                [(name, row[i]) for name, i in zip(fields, without, strict=True) if row[i].plain],
                options.max_width,
            )

    def _widths(self, shown: Sequence[int], width: int) -> list[int] | None:
        """Return the width of each column, or None if the table does not fit."""
        natural = [self._natural(i) for i in shown]
        least = [self._least(i) for i in shown]
        frame = 2 + 3 * (len(shown) - 1)  # the spaces around and between the columns
        free = width - sum(least) - frame
        if free < 0:
            return None
        widths = list(least)
        for i, preferred in enumerate(natural):
            more = min(free, preferred - widths[i])
            widths[i] += more
            free -= more
        return widths

    def _cells(self, column: int) -> Iterator[Text]:
        yield Text(self._columns[column])
        yield from (row[column] for row in self._rows)

    def _natural(self, column: int) -> int:
        return max(cell.cell_len for cell in self._cells(column))

    def _least(self, column: int) -> int:
        if self._columns[column] not in WRAPPED:
            return self._natural(column)
        words = [len(word) for cell in self._cells(column) for word in cell.plain.split()]
        return max([*words, min(LEAST, self._natural(column))])

    def _table(self, shown: Sequence[int], widths: Sequence[int]) -> Table:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for i, width in zip(shown, widths, strict=True):
            table.add_column(self._columns[i], width=width, overflow="fold")
        for row in self._rows:
            table.add_row(*(row[i] for i in shown))
        return table


def field_lines(fields: Sequence[tuple[str, Text]], width: int) -> Iterator[Text]:
    """Yield `name  value` lines; a value too long to fit beside its name is on the next line."""
    indent = max((len(name) for name, _ in fields), default=0) + 2
    for name, value in fields:
        longest = max((len(word) for word in value.plain.split()), default=0)
        if indent + longest <= width:
            first, *rest = _wrapped(value, width - indent)
            yield _whole(Text(name.ljust(indent)) + first)
            yield from (_whole(Text(" " * indent) + line) for line in rest)
        else:
            yield _whole(Text(name))
            yield from (_whole(Text("  ") + line) for line in _wrapped(value, width - 2))


def _lines(text: Text, width: int) -> Iterator[Text]:
    return map(_whole, _wrapped(text, width))


def _wrapped(text: Text, width: int) -> list[Text]:
    """Wrap `text` between words only; a word longer than `width` has a line of its own."""
    lines: list[list[int]] = []
    for word in re.finditer(r"\S+", text.plain):
        start, end = word.span()
        if lines and end - lines[-1][0] <= width:
            lines[-1][1] = end
        else:
            lines.append([start, end])
    return [text[start:end] for start, end in lines] or [Text()]


def _whole(text: Text) -> Text:
    """Mark a line so that rich neither wraps nor truncates it; a narrow terminal wraps it."""
    text.no_wrap = True
    text.overflow = "ignore"
    return text


def print_whole(console: Console, drawn: Iterable[RenderableType]) -> None:
    """Print each line untruncated, also if it is longer than the width of the terminal."""
    for each in drawn:
        if isinstance(each, str):
            each = Text(each)
        if isinstance(each, Text):
            for line in each.split("\n", allow_blank=True):
                # An indented line is a command to copy, so it must not be wrapped.
                verbatim = line.plain.startswith("  ")
                parts = [_whole(line)] if verbatim else _lines(line, console.width)
                for part in parts:
                    console.print(part, crop=False, no_wrap=True, overflow="ignore")
        else:
            console.print(each, crop=False)
