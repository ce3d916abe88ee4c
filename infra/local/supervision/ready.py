"""Readiness checks of a server.

A `Ready` is an async callable that is called repeatedly. It returns True when the server responds,
and returns False or raises an OSError before that. Any other exception is a bug and ends the start.
"""

import asyncio
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from infra.local.supervision.ports import LOOPBACK

Ready = Callable[[], Awaitable[bool]]


def port_open(port: int, host: str = LOOPBACK) -> Ready:
    """Create a check that succeeds when the TCP port accepts a connection."""

    async def check() -> bool:
        _, writer = await asyncio.open_connection(host, port)
        writer.close()
        return True

    return check


def http_ok(url: str, timeout_s: float = 2.0) -> Ready:
    """Create a check that succeeds when GET `url` (http only) responds 2xx within `timeout_s`.

    The check does not use a client library, because it is called about twenty times a second, and
    a client library would spend more time on its TLS contexts than the server on its start.
    """
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    request = f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"

    async def check() -> bool:
        async with asyncio.timeout(timeout_s):  # TimeoutError is an OSError
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
            try:
                writer.write(request.encode())
                status_line = await reader.readline()  # "HTTP/1.1 200 OK"
            finally:
                writer.close()
        words = status_line.split()
        return len(words) > 1 and words[1].startswith(b"2")

    return check
