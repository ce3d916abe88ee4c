"""The consoles for results (standard output) and for messages (standard error)."""

import os
import sys
from typing import Final, NoReturn

from rich.console import Console

UNLIMITED: Final = 100_000
"""The assumed width, in columns, of a file or a pipe."""


class _PipeAwareConsole(Console):
    """Lets `run_to_exit` handle a closed pipe; rich's own console would exit with 1."""

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError


def console(*, stderr: bool) -> Console:
    """Create a console; the variable COLUMNS sets its width, as in other programs."""
    stream = sys.stderr if stderr else sys.stdout
    has_width = stream.isatty() or os.environ.get("COLUMNS", "").isdigit()
    return _PipeAwareConsole(
        stderr=stderr, highlight=False, soft_wrap=stderr, width=None if has_width else UNLIMITED
    )
