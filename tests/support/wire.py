"""Put a connection between client and server that a test can cut and restore."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from infra.local.supervision.ports import LOOPBACK


class Wire:
    """Forwards bytes to a port of this machine. The client connects to `port`."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._passing: set[asyncio.Task[None]] = set()
        self.port = 0
        self.connections = 0

    async def mend(self) -> None:
        """Accept connections again, at the same port as before the cut."""
        self._server = await asyncio.start_server(self._connect, LOOPBACK, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """End every connection and refuse new ones."""
        assert self._server is not None
        self._server.close()
        for task in self._passing:
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)
        await self._server.wait_closed()

    async def _connect(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._passing.add(task)
        self.connections += 1
        forth: asyncio.StreamWriter | None = None
        try:
            far, forth = await asyncio.open_connection(LOOPBACK, self._target)
            async with asyncio.TaskGroup() as group:
                group.create_task(_pass(near, forth))
                group.create_task(_pass(far, back))
        except* OSError:
            pass  # one side has closed the connection
        finally:
            self._passing.discard(task)
            for writer in (back, forth):
                if writer is not None:
                    writer.transport.abort()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    with suppress(OSError):
        writer.write_eof()


@asynccontextmanager
async def wire_to(target: int) -> AsyncIterator[Wire]:
    """Yield a connected wire to a port, and close it afterwards."""
    wire = Wire(target)
    await wire.mend()
    try:
        yield wire
    finally:
        await wire.cut()
