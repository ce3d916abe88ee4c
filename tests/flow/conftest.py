"""Fixtures: functions-framework serves the real `main.py` over in-memory services."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import httpx
import pytest
from functions_framework.aio import create_asgi_app

from infra.local.eventarc.event import finalized
from infra.local.stack import ENTRY_POINTS, ROOT
from lumimd.adapters.assemblyai.options import WEBHOOK_HEADER
from lumimd.domain.audio import Upload
from lumimd.runtime import settings
from lumimd.runtime.services import install, uninstall
from lumimd.telemetry import logs
from tests.support.services import MemoryServices

SECRET = "the-present-webhook-secret"
PREVIOUS_SECRET = "the-webhook-secret-before"

ENVIRONMENT = {
    "GOOGLE_CLOUD_PROJECT": "demo-lumimd",
    "AUDIO_BUCKET": "recordings",
    "SUMMARY_QUEUE": "projects/demo-lumimd/locations/us-central1/queues/summaries",
    "SUMMARIZE_URL": "http://127.0.0.1:9/summarize_visit",
    "TASKS_SERVICE_ACCOUNT": "pipeline@lumimd.invalid",
    "ASSEMBLYAI_API_KEY": "key",
    "WEBHOOK_SECRET": SECRET,
    "WEBHOOK_SECRET_PREVIOUS": PREVIOUS_SECRET,
    "SUMMARIZER": "rules",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("OPENAI_API_KEY", "WEBHOOK_URL", "WEBHOOK_ALLOWED_IPS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    settings.deployment.cache_clear()
    yield
    settings.deployment.cache_clear()


@dataclass
class Functions:
    """Call the entry points as the platform and the provider do."""

    services: MemoryServices
    clients: dict[str, httpx.AsyncClient]

    async def finalize(self, upload: Upload, event_id: str = "event-1") -> httpx.Response:
        audio = upload.audio
        stored = {
            "bucket": audio.bucket,
            "name": audio.storage_path,
            "generation": audio.generation,
            "size": audio.size_bytes,
            "contentType": audio.content_type,
        }
        return await self.announce(stored, event_id)

    async def announce(
        self, stored: dict[str, object], event_id: str = "event-1"
    ) -> httpx.Response:
        event = finalized(stored, event_id=event_id, time="2026-03-01T09:00:00Z")
        return await self.clients["on_audio_finalized"].post(
            "/", headers=event.headers, content=event.body
        )

    async def webhook(
        self,
        visit_id: str = "visit-1",
        attempt: int = 1,
        transcript_id: str = "job-0",
        secret: str | None = SECRET,
        forwarded_for: tuple[str, ...] = (),
    ) -> httpx.Response:
        headers = [("X-Forwarded-For", line) for line in forwarded_for]
        if secret is not None:
            headers.append((WEBHOOK_HEADER, secret))
        return await self.clients["on_transcription_webhook"].post(
            "/",
            params={"visit": visit_id, "attempt": attempt},
            json={"transcript_id": transcript_id, "status": "completed"},
            headers=headers,
        )

    async def wake(self) -> httpx.Response:
        return await self.clients["wake_due_visits"].post("/")

    async def retain(self) -> httpx.Response:
        return await self.clients["enforce_retention"].post("/")

    async def summarize(self, visit_id: str = "visit-1", attempt: int = 1) -> httpx.Response:
        return await self.clients["summarize_visit"].post(
            "/", json={"visitId": visit_id, "attempt": attempt}
        )

    async def run_tasks(self) -> None:
        while not self.services.tasks.waiting.empty():
            task = self.services.tasks.waiting.get_nowait()
            assert (await self.summarize(task.visit_id, task.attempt)).status_code == 200


@pytest.fixture
async def functions(environment: None) -> AsyncIterator[Functions]:
    services = MemoryServices()
    source = str(ROOT / "functions" / "main.py")
    async with AsyncExitStack() as closing:
        clients = {
            name: await closing.enter_async_context(
                httpx.AsyncClient(
                    transport=httpx.ASGITransport(app=create_asgi_app(name, source)),
                    base_url=f"http://{name}",
                )
            )
            for name in ENTRY_POINTS
        }
        install(services)
        logs.configure()
        yield Functions(services, clients)
        uninstall()
    os.environ.pop("FUNCTION_TARGET", None)
