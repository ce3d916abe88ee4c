"""Output whose reader is gone, as in `scripts/ops visits | head`."""

import os
import sys
from typing import Final

CLOSED: Final = 141
"""The exit code then, as a shell counts SIGPIPE."""


def write_no_more() -> None:
    """Discard buffered output, so that the interpreter ends without an error message."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
