r"""A stand-in for Eventarc: forwards Pub/Sub pushes of storage events as CloudEvents.

    python -m infra.local.eventarc --port 8125 --pubsub 127.0.0.1:8785 \
        --project demo-lumimd --topic storage-events --target http://127.0.0.1:8081/

The server returns the function's response to Pub/Sub. A 2xx acknowledges the event; after any other
response, or without a response, Pub/Sub delivers the event again. Only finalize events are
forwarded; all other events are acknowledged at once.
"""

import argparse
import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from infra.local.eventarc.event import MalformedPush, finalized_event
from infra.local.eventarc.subscription import subscribe
from infra.local.google_api.http_target import http_client

# The time limit of an event-triggered function; after this limit the event is delivered again.
FUNCTION_TIMEOUT_S = 540
PUSH_PATH = "/push"

log = logging.getLogger("infra.local.eventarc")


async def forwarded(request: Request) -> Response:
    """Forward a finalize event to the function, and return the function's response to Pub/Sub."""
    try:
        event = finalized_event(await request.body())
    except MalformedPush as error:
        log.warning("malformed push: %s", error)
        return Response(status_code=400)
    if event is None:
        return Response(status_code=204)
    client, target = request.app.state.client, request.app.state.target
    try:
        answer = await client.post(target, content=event.body, headers=event.headers)
    except httpx.RequestError as error:
        log.warning("event %s: %s, will be delivered again", event.id, type(error).__name__)
        return Response(status_code=503)
    except asyncio.CancelledError:
        # The server is stopping. Pub/Sub keeps events that are not acknowledged.
        return Response(status_code=503)
    if not answer.is_success:
        log.warning("event %s: %d, will be delivered again", event.id, answer.status_code)
        return Response(status_code=502)
    log.info("event %s: %d", event.id, answer.status_code)
    return Response(status_code=204)


async def healthz(_: Request) -> Response:
    return PlainTextResponse("ok")


def create_app(
    target: str, *, pubsub: str, project: str, topic: str, push_endpoint: str
) -> Starlette:
    """Create the forwarder as an ASGI app; at start it subscribes `push_endpoint` to the topic."""
    client = http_client(FUNCTION_TIMEOUT_S)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with client:
            await subscribe(pubsub, project, topic, push_endpoint)
            yield

    routes = [Route("/healthz", healthz), Route(PUSH_PATH, forwarded, methods=["POST"])]
    app = Starlette(routes=routes, lifespan=lifespan)
    app.state.client, app.state.target = client, target
    return app


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Eventarc on this machine")
    parser.add_argument("--port", type=int, default=8125)
    parser.add_argument("--pubsub", default="127.0.0.1:8785", metavar="HOST:PORT")
    parser.add_argument("--project", default="demo-lumimd")
    parser.add_argument("--topic", default="storage-events")
    parser.add_argument("--target", required=True, metavar="URL", help="the function's URL")
    return parser.parse_args(arguments)


def main() -> None:
    options = parse_arguments()
    app = create_app(
        options.target,
        pubsub=options.pubsub,
        project=options.project,
        topic=options.topic,
        push_endpoint=f"http://127.0.0.1:{options.port}{PUSH_PATH}",
    )
    # After its stop uvicorn raises the signal again, but here SIGTERM is not a failure.
    signal.signal(signal.SIGTERM, lambda *_: None)
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=options.port,
        log_level="warning",
        # Pub/Sub delivers an interrupted push again, so the server need not wait for functions.
        timeout_graceful_shutdown=0,
    )
