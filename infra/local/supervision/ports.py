"""TCP ports on the loopback interface: picking free ones."""

import socket
from collections.abc import Mapping
from contextlib import ExitStack

LOOPBACK = "127.0.0.1"


def free_ports(preferred: Mapping[str, int]) -> dict[str, int]:
    """A free port for each name: the preferred one if it is free, otherwise any.

    0 means no preference. The function holds all ports until the last is picked, so that no two
    names get the same port; ports without a free preference are picked last, so that they do not
    take another's. Between the release and the server's own bind another program may take the
    port: then the server fails to start and reports it.

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
    """A listener on the port; None when it is taken or not permitted.

    `create_server` sets SO_REUSEADDR, as the real servers do: connections in TIME_WAIT after the
    last run do not make the port look taken. It also listens; without that the port is not held
    exclusively.
    """
    try:
        return socket.create_server((LOOPBACK, port))
    except OSError:
        return None
