"""Picks free TCP ports on the loopback interface."""

import socket
from collections.abc import Mapping
from contextlib import ExitStack

LOOPBACK = "127.0.0.1"


def free_ports(preferred: Mapping[str, int]) -> dict[str, int]:
    """Pick a free port for each name: the preferred port if it is free, otherwise any port.

    A preferred port of 0 means no preference. The function holds all ports until the last port is
    picked, so that no two names get the same port. Names without a free preferred port come last,
    so that they do not take a port that another name prefers. If another program takes a port
    before the server binds it, the server fails to start and reports that.

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
            if name not in picked:
                listener = socket.create_server((LOOPBACK, 0))
                held.enter_context(listener)
                picked[name] = listener.getsockname()[1]
    return {name: picked[name] for name in preferred}


def _listen(port: int) -> socket.socket | None:
    """Listen on the port; return None when the port is taken or not permitted.

    `create_server` sets SO_REUSEADDR, as the real servers do, so that connections in TIME_WAIT
    after the last run do not make the port look taken. It also listens, because otherwise the port
    would not be held exclusively.
    """
    try:
        return socket.create_server((LOOPBACK, port))
    except OSError:
        return None
