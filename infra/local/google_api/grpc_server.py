"""Serves a Google API with proto-plus messages over grpc.aio, for Cloud Tasks and Scheduler."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, get_type_hints

import grpc
import proto
from google.api_core import exceptions
from google.protobuf import field_mask_pb2

# The time that running requests have to finish when the server stops.
STOP_GRACE_S = 0.2


def service_handler(service: object, name: str) -> grpc.GenericRpcHandler:
    """Create a handler for the gRPC service with the full name `name`.

    The RPCs are the public methods of `service`, named as in the SDK: `create_task` is CreateTask.
    Any other RPC responds UNIMPLEMENTED. A method is a coroutine that takes only the request, and
    its annotations name the message types of request and response. It reports an error as a
    GoogleAPICallError, which the SDK then raises in the caller.
    """
    rpcs = {rpc: getattr(service, rpc) for rpc in vars(type(service)) if not rpc.startswith("_")}
    return grpc.method_handlers_generic_handler(
        name,
        {rpc.title().replace("_", ""): _method_handler(handle) for rpc, handle in rpcs.items()},
    )


def merged(current: Any, request: Any, mask: field_mask_pb2.FieldMask) -> Any:
    """Copy `current` with the fields in the mask, or all fields without a mask, from `request`.

    Raises InvalidArgument for a mask with an unknown field.
    """
    result = type(current)(current if mask.paths else request)
    target = type(current).pb(result)
    if not mask.IsValidForDescriptor(target.DESCRIPTOR):
        kind = type(current).__name__.lower()
        raise exceptions.InvalidArgument(f"update_mask names a field that a {kind} does not have")
    mask.MergeMessage(type(current).pb(request), target, replace_message_field=True)
    return result


def page(
    names: Iterable[str], page_size: int, page_token: str, largest: int
) -> tuple[list[str], str]:
    """Return one page of the sorted names, and the token of the next page ("" on the last page).

    The token is the last name on the page, so that entries which are created or deleted later do
    not shift the pages.
    """
    remaining = sorted(name for name in names if name > page_token)
    size = min(page_size, largest) if page_size > 0 else largest
    chosen = remaining[:size]
    return chosen, chosen[-1] if len(remaining) > size else ""


@asynccontextmanager
async def serving(
    handler: grpc.GenericRpcHandler, port: int, background: Awaitable[None]
) -> AsyncIterator[tuple[int, asyncio.Task[None]]]:
    """Serve on 127.0.0.1 while `background` runs as a task; yield the port and that task.

    Port 0 chooses a free port. Raises RuntimeError when the port is taken.
    """
    # Without so_reuseport=0 two servers on the same port would share the calls without an error.
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((handler,))
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    # The task starts before the server, because the first request may start an attempt at once.
    task = asyncio.ensure_future(background)
    try:
        await server.start()
        yield bound, task
    finally:
        task.cancel()
        await asyncio.wait([task])
        await server.stop(STOP_GRACE_S)


async def serve_until_stopped(
    server: AbstractAsyncContextManager[tuple[int, asyncio.Task[None]]],
    log: logging.Logger,
    contents: str,
) -> None:
    """Run `server` until SIGTERM or SIGINT; if its task ends before, raise the task's error."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("infra.local").setLevel(logging.INFO)
    async with server as (port, background):
        log.info("listening on 127.0.0.1:%d, %s", port, contents)
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({stopped, background}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if background.done():
            await background


# The types are quoted, because grpc's classes are generic only in its type stubs.
def _method_handler(
    handle: Callable[[Any], Awaitable[Any]],
) -> "grpc.RpcMethodHandler[Any, Any]":
    async def call(request: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> Any:
        try:
            return await handle(request)
        except exceptions.GoogleAPICallError as error:
            await context.abort(error.grpc_status_code or grpc.StatusCode.UNKNOWN, error.message)

    types = get_type_hints(handle)
    request_type, response_type = types["request"], types["return"]
    is_proto_plus = issubclass(response_type, proto.Message)
    return grpc.unary_unary_rpc_method_handler(
        call,
        request_deserializer=request_type.deserialize,
        response_serializer=(
            response_type.serialize if is_proto_plus else response_type.SerializeToString
        ),
    )
