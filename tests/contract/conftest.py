"""Fixtures: a summarizer over OpenAI's SDK, and a local server that speaks OpenAI's protocol."""

import dataclasses
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from lumimd.adapters.openai.summarizer import OpenAISummarizer
from lumimd.policies import retry
from tests.support import openai_server as api
from tests.support.openai_server import KEY, OpenAIServer

QUICK = dataclasses.replace(retry.MODEL, timeout_s=5, initial_s=0.01, max_wait_s=0.5, jitter_s=0.01)


@pytest.fixture(scope="module")
def _server() -> Iterator[OpenAIServer]:
    with api.openai_server() as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def _model(_server: OpenAIServer) -> AsyncIterator[OpenAISummarizer]:
    model = OpenAISummarizer(api_key=KEY, base_url=_server.url, model="gpt-6-luna")
    yield model
    await model.aclose()


@pytest.fixture
def server(_server: OpenAIServer) -> OpenAIServer:
    _server.forget()
    return _server


@pytest.fixture
def model(_model: OpenAISummarizer, monkeypatch: pytest.MonkeyPatch) -> OpenAISummarizer:
    monkeypatch.setattr(retry, "MODEL", QUICK)
    return _model
