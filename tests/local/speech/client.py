"""Helpers that call the speech server through the real AssemblyAI SDK."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from assemblyai import AsyncClient, Settings
from assemblyai.prerecorded.v2 import async_api
from assemblyai.types import (
    ListTranscriptParameters,
    ListTranscriptResponse,
    TranscriptRequest,
    TranscriptResponse,
)
from starlette.requests import Request
from starlette.responses import Response

from tests.support.speech_server import RunningServer

AUDIO = "http://127.0.0.1:9/visits/u1/v1/audio.m4a?signature=secret"
HOUR_S = 3600.0  # a job with this delay never ends within a test


@asynccontextmanager
async def sdk(server: RunningServer) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(settings=Settings(api_key="any", base_url=server.url)) as client:
        yield client


async def submitted(client: AsyncClient, audio_url: str = AUDIO, **options: Any) -> str:
    request = TranscriptRequest(audio_url=audio_url, **options)
    created = await async_api.create_transcript(client.http_client, request)
    assert created.id is not None
    return created.id


async def finished(
    server: RunningServer, client: AsyncClient, audio_url: str = AUDIO, **options: Any
) -> TranscriptResponse:
    job_id = await submitted(client, audio_url, **options)
    await server.settled()
    return await async_api.get_transcript(client.http_client, job_id)


async def listed(client: AsyncClient, **query: Any) -> ListTranscriptResponse:
    params = ListTranscriptParameters(**query)
    return await async_api.list_transcripts(client.http_client, params)


@dataclass
class Receiver:
    """A webhook endpoint that returns the status codes `answers` in turn, then 200.

    It records the requests.
    """

    answers: list[int] = field(default_factory=list)
    received: list[tuple[dict[str, str], Any]] = field(default_factory=list)
    url: str = ""

    async def hook(self, request: Request) -> Response:
        self.received.append((dict(request.headers), await request.json()))
        return Response(status_code=self.answers.pop(0) if self.answers else 200)
