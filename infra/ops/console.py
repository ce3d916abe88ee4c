"""The consoles for results (standard output) and for messages (standard error)."""

import os
import sys
from typing import Final, NoReturn

from rich.console import Console

UNLIMITED: Final = 100_000
"""Columns of a file or a pipe, which have no width."""


class _PipeAwareConsole(Console):
    """Passes a closed pipe on to `run_to_exit`; rich's own console exits with 1."""

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError


def console(*, stderr: bool) -> Console:
    """A console; its width is COLUMNS where that is set, as in other programs."""
    stream = sys.stderr if stderr else sys.stdout
    has_width = stream.isatty() or os.environ.get("COLUMNS", "").isdigit()
    return _PipeAwareConsole(
        stderr=stderr, highlight=False, soft_wrap=stderr, width=None if has_width else UNLIMITED
    )
