"""Readable long regular expressions."""

import re
from typing import Final

_LINE_END: Final = re.compile(r"\s*\n\s*")


def one_line(pattern: str) -> str:
    """A pattern written over several lines, without line ends and the spaces around them.

    Unlike `re.VERBOSE` it keeps the spaces inside a line, which these patterns need.
    """
    return _LINE_END.sub("", pattern)


def compiled(pattern: str) -> re.Pattern[str]:
    """The same, compiled."""
    return re.compile(one_line(pattern))
