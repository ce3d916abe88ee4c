"""Picks free TCP ports on the loopback interface."""

import fcntl
import os
import socket
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

LOOPBACK = "127.0.0.1"

RESERVATIONS: Final = Path(tempfile.gettempdir()) / f"lumimd-ports-{os.getuid()}"
"""One empty file a port; its lock reserves the port for a process until that process ends."""

_reserved: dict[int, int] = {}


def free_ports(preferred: Mapping[str, int]) -> dict[str, int]:
    """Pick a free port for each name: the preferred port if it is free, otherwise any port.

    A preferred port of 0 means no preference. The function holds all ports until the last port is
    picked, so that no two names get the same port. Names without a free preferred port come last,
    so that they do not take a port that another name prefers. The ports stay reserved for this
    process, so that a second local stack takes no port of a server that starts, or starts again.
    If another program takes a port before the server binds it, the server fails to start and
    reports that.

    >>> sorted(free_ports({"firestore": 8580, "storage": 0}))
    ['firestore', 'storage']
    """
    picked: dict[str, int] = {}
    with ExitStack() as held:
        for name, port in preferred.items():
            listener = _listen(port) if port else None
            if listener is not None:
                held.enter_context(listener)
                picked[name] = port
        for name in preferred:
            while name not in picked:
                listener = held.enter_context(socket.create_server((LOOPBACK, 0)))
                if _reserve(listener.getsockname()[1]):
                    picked[name] = listener.getsockname()[1]
    return {name: picked[name] for name in preferred}


def _listen(port: int) -> socket.socket | None:
    """Listen on the port; return None when the port is taken, reserved or not permitted.

    `create_server` sets SO_REUSEADDR, as the real servers do, so that connections in TIME_WAIT
    after the last run do not make the port look taken. It also listens, because otherwise the port
    would not be held exclusively.
    """
    try:
        listener = socket.create_server((LOOPBACK, port))
    except OSError:
        return None
    if _reserve(port):
        return listener
    listener.close()
    return None


def _reserve(port: int) -> bool:
    """Reserve the port for this process; return False when another process has reserved it."""
    if port not in _reserved:
        RESERVATIONS.mkdir(exist_ok=True)
        descriptor = os.open(RESERVATIONS / str(port), os.O_CREAT | os.O_WRONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        _reserved[port] = descriptor
    return True
