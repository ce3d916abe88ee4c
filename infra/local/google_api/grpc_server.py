"""Serve a Google API of proto-plus messages over grpc.aio: shared by Cloud Tasks and Scheduler."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import proto
from google.api_core import exceptions

# The time that running requests get when the server stops.
STOP_GRACE_S = 0.2


@dataclass(frozen=True)
class Rpc:
    """A unary RPC: its coroutine and the message types of its request and response.

    The coroutine takes the request only. It reports an error as a GoogleAPICallError, which the SDK
    then raises in the caller.
    """

    handle: Callable[[Any], Awaitable[Any]]
    request: type[Any]
    response: type[Any]


def service_handler(service: str, rpcs: Mapping[str, Rpc]) -> grpc.GenericRpcHandler:
    """A handler for the service of this full name; other RPCs answer UNIMPLEMENTED."""
    return grpc.method_handlers_generic_handler(
        service, {name: _method_handler(rpc) for name, rpc in rpcs.items()}
    )


def page(
    names: Iterable[str], page_size: int, page_token: str, largest: int
) -> tuple[list[str], str]:
    """One page of sorted names and the token of the next ("" when this is the last).

    The token is the last name of the page, so entries created or deleted later do not shift pages.
    """
    remaining = sorted(name for name in names if name > page_token)
    size = min(page_size, largest) if page_size > 0 else largest
    chosen = remaining[:size]
    return chosen, chosen[-1] if len(remaining) > size else ""


@asynccontextmanager
async def serving(
    handler: grpc.GenericRpcHandler, port: int, background: Awaitable[None]
) -> AsyncIterator[tuple[int, asyncio.Task[None]]]:
    """Serve on 127.0.0.1 with `background` running beside; yields the port and that task.

    Port 0 chooses a free one. Raises RuntimeError when the port is taken.
    """
    # Without so_reuseport=0 a second server on the same port would quietly share its calls.
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((handler,))
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    # Before the first request, since that may start an attempt at once.
    task = asyncio.ensure_future(background)
    try:
        await server.start()
        yield bound, task
    finally:
        task.cancel()
        await asyncio.wait([task])
        await server.stop(STOP_GRACE_S)


async def until_stopped(background: asyncio.Task[None]) -> None:
    """Wait for SIGTERM or SIGINT; if `background` ends first, raises its error."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({stopped, background}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if background.done():
        await background


# Quoted types: grpc's classes are generic only in its stubs.
def _method_handler(rpc: Rpc) -> "grpc.RpcMethodHandler[Any, Any]":
    async def call(request: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> Any:
        try:
            return await rpc.handle(request)
        except exceptions.GoogleAPICallError as error:
            await context.abort(error.grpc_status_code or grpc.StatusCode.UNKNOWN, error.message)

    is_proto_plus = issubclass(rpc.response, proto.Message)
    return grpc.unary_unary_rpc_method_handler(
        call,
        request_deserializer=rpc.request.deserialize,
        response_serializer=(
            rpc.response.serialize if is_proto_plus else rpc.response.SerializeToString
        ),
    )
