"""The exit codes of the command line tools, and the ways in which a command ends."""

import os
import sys
from collections.abc import Callable
from typing import Final

OK: Final = 0

FAILED: Final = 1
"""The command found a problem, a gate or a change was refused, or some of the work failed."""

USAGE: Final = 2

INTERRUPTED: Final = 130

CLOSED_PIPE: Final = 141
"""The reader closed the output (`scripts/ops visits | head`): 128 + SIGPIPE, as in a shell."""


def run_to_exit(command: Callable[[], int]) -> int:
    """Run the command, flush its output and return the exit code.

    The exit code is CLOSED_PIPE if the reader has closed the output.
    """
    try:
        try:
            return command()
        finally:  # also after --help, which raises SystemExit
            sys.stdout.flush()
            sys.stderr.flush()
    except BrokenPipeError:
        _discard_output()
        return CLOSED_PIPE


def fail(message: object, code: int = USAGE) -> int:
    """Print the message to standard error and return `code`."""
    print(message, file=sys.stderr)
    return code


def _discard_output() -> None:
    """Discard buffered output, so that the interpreter ends without an error message."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
