"""Fixtures: a server, a client and a webhook endpoint per module, reset before each test."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from assemblyai import AsyncClient
from starlette.applications import Starlette
from starlette.routing import Route

from tests.local.speech.client import Receiver, sdk
from tests.support.speech_server import RunningServer, scripted_server, serving


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running() -> AsyncIterator[RunningServer]:
    async with scripted_server() as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def server(running: RunningServer) -> RunningServer:
    await running.state.reset()
    return running


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def connected(running: RunningServer) -> AsyncIterator[AsyncClient]:
    async with sdk(running) as client:
        yield client


@pytest.fixture
def client(server: RunningServer, connected: AsyncClient) -> AsyncClient:
    """The client of the module; through `server`, it depends on a reset before each test."""
    return connected


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def receiving() -> AsyncIterator[Receiver]:
    hook = Receiver()
    app = Starlette(routes=[Route("/hook", hook.hook, methods=["POST"])])
    async with serving(app) as url:
        hook.url = f"{url}/hook?visit=v1"
        yield hook


@pytest.fixture
def receiver(receiving: Receiver) -> Receiver:
    receiving.answers.clear()
    receiving.received.clear()
    return receiving
