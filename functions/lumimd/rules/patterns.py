"""Long regular expressions that can be read."""

import re
from typing import Final

_LINE_END: Final = re.compile(r"\s*\n\s*")


def one_line(pattern: str) -> str:
    """A pattern written over several lines: line ends and the spaces around them drop out.

    Unlike `re.VERBOSE` it keeps the spaces inside a line, which these patterns are full of.
    """
    return _LINE_END.sub("", pattern)
