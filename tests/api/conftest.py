"""Fixtures: the API over in-memory services, called in this process, and its log."""

import io
from collections.abc import AsyncIterator, Iterator

import pytest

from lumimd.telemetry import logs
from tests.support.api import Api, ApiMemoryServices, api_over


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    api = api_over(ApiMemoryServices())
    async with api.http:
        yield api


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Yield a buffer that receives all log lines of the test."""
    written = io.StringIO()
    logs.configure(to=written)
    yield written
    logs.configure()
