"""Helpers for long regular expressions that stay readable."""

import re
from typing import Final

_LINE_END: Final = re.compile(r"\s*\n\s*")


def one_line(pattern: str) -> str:
    """Join a pattern written over several lines, without line ends and the spaces around them.

    Unlike `re.VERBOSE`, it keeps the spaces inside a line, which these patterns need.
    """
    return _LINE_END.sub("", pattern)


def compiled(pattern: str) -> re.Pattern[str]:
    """Join a pattern with `one_line` and compile it."""
    return re.compile(one_line(pattern))
