"""The main program of a measuring process: `python -m lumimd.adapters.measuring.worker`.

The process has its standard input and output, and may open no file and no socket. It requests bytes
from its parent, and ends when the parent closes the pipe or dies.

    parent   -> START   the size of the recording, and the budget
    process  -> b"R"    offset and length of the requested bytes
    parent   -> LENGTH  the number of bytes, and the bytes; or ABANDON
    process  -> b"A"    LENGTH and the result, as JSON
"""

import json
import os
import resource
import signal
import struct
import sys
from contextlib import suppress
from typing import Any, Final

from lumimd.adapters.measuring import limits
from lumimd.adapters.measuring.length import seconds_of
from lumimd.adapters.measuring.recording import Budget, Recording, TooCostly
from lumimd.domain.errors import Permanent

START: Final = struct.Struct("!QdQQ")
REQUEST: Final = struct.Struct("!cQI")
LENGTH: Final = struct.Struct("!I")
ABANDON: Final = 0xFFFF_FFFF

NICE: Final = "--nice"
_NICENESS: Final = 10

_STDIN, _STDOUT, _DESCRIPTORS = 0, 1, 3


class Abandoned(Exception):
    """The parent no longer wants the result."""


class ParentGone(Exception):
    """The parent has closed the pipe, or died."""


def main() -> None:
    """Measure recordings until the parent is gone."""
    if NICE in sys.argv:
        os.nice(_NICENESS)
    _confine()
    with suppress(ParentGone, BrokenPipeError):
        while True:
            size, cpu_s, size_bytes, jumps = START.unpack(_exactly(START.size))
            # At this limit the kernel kills the process, even inside a call that never returns.
            signal.setitimer(signal.ITIMER_PROF, cpu_s + limits.OVERRUN_S)
            answer = _answer(size, Budget(cpu_s, size_bytes, jumps))
            signal.setitimer(signal.ITIMER_PROF, 0)
            text = json.dumps(answer).encode()
            _write(REQUEST.pack(b"A", 0, len(text)) + text)


def _confine() -> None:
    """Limit this process to its three open descriptors, and to a maximum of memory.

    It may open no file and write no core dump.
    """
    # Only the parent ends this process, by closing the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name, value in (
        ("RLIMIT_NOFILE", _DESCRIPTORS),
        ("RLIMIT_FSIZE", 0),
        ("RLIMIT_CORE", 0),
        ("RLIMIT_AS", limits.ADDRESS_SPACE),
    ):
        with suppress(ValueError, OSError):  # macOS does not limit the address space
            resource.setrlimit(getattr(resource, name), (value, value))


def _answer(size: int, budget: Budget) -> dict[str, Any]:
    before = resource.getrusage(resource.RUSAGE_SELF)
    answer: dict[str, Any]
    try:
        answer = {"seconds": seconds_of(Recording(_read, size, budget))}
    except Permanent as error:
        answer = {"code": error.code.value}
    except (TooCostly, MemoryError):
        answer = {"is_costly": True}
    except Abandoned:
        answer = {"is_abandoned": True}
    after = resource.getrusage(resource.RUSAGE_SELF)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {**answer, "cpu_s": used, "peak_kib": after.ru_maxrss}


def _read(offset: int, length: int) -> bytes:
    _write(REQUEST.pack(b"R", offset, length))
    (found,) = LENGTH.unpack(_exactly(LENGTH.size))
    if found == ABANDON:
        raise Abandoned
    return _exactly(found)


def _exactly(length: int) -> bytes:
    parts = []
    while length:
        part = os.read(_STDIN, length)
        if not part:
            raise ParentGone
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(_STDOUT, data) :]


if __name__ == "__main__":
    main()
