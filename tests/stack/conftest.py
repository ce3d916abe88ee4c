"""Starts the whole local stack once: real processes, real SDKs, scripted speech."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from google.cloud import scheduler_v1
from google.cloud.scheduler_v1.services.cloud_scheduler.transports import (
    CloudSchedulerGrpcTransport,
)
from grpc import insecure_channel

from infra.local.client import USER_ID, VisitDocuments
from infra.local.launcher import Stack, running_stack
from infra.local.stack import Options, can_emulate
from lumimd.domain.visit import Visit

PATIENCE_S = 120
JOB = "projects/demo-lumimd/locations/us-central1/jobs/wake-due-visits"


@dataclass
class Pipeline:
    """The running stack, with actions and queries for tests."""

    stack: Stack
    speech: httpx.AsyncClient
    scheduler: scheduler_v1.CloudSchedulerClient

    def new_visit(self) -> str:
        return f"v-{uuid4().hex}"

    async def script(self, visit_id: str, **fields: Any) -> None:
        answer = await self.speech.post("/_local/scripts", json={"match": visit_id, **fields})
        assert answer.status_code == 200, answer.text

    async def upload(self, recording: Path, visit_id: str, name: str | None = None) -> str:
        object_name = f"visits/{USER_ID}/{visit_id}/{name or recording.name}"
        await self.stack.client.upload(recording, object_name)
        return object_name

    async def ended(self, visit_id: str) -> Visit:
        updates = self.stack.client.watch(visit_id)
        async with asyncio.timeout(PATIENCE_S), aclosing(updates):  # type: ignore[type-var]
            async for visit in updates:
                if visit.processing_status.is_terminal:
                    return visit
        raise AssertionError("a listener does not end")

    async def documents(self, visit_id: str) -> VisitDocuments:
        return await self.stack.client.documents(visit_id)

    async def orders(self, visit_id: str) -> int:
        """Return the number of paid transcription jobs that were submitted for this visit."""
        jobs = (await self.speech.get("/_local/jobs")).json()["jobs"]
        return sum(visit_id in job["audio_url"] for job in jobs)

    async def calls_of(self, route: str) -> int:
        """Return the number of calls to this route of the provider, refused calls included."""
        requests = (await self.speech.get("/_local/bill")).json()["requests"]
        return int(requests.get(route, 0))

    def log_of(self, part: str) -> str:
        """Return the log of one process of the stack."""
        return (self.stack.run_dir / f"{part}.log").read_text(errors="replace")

    def logged(self) -> str:
        """Return the logs of all processes of the stack."""
        return "\n".join(
            log.read_text(errors="replace") for log in sorted(self.stack.run_dir.glob("*.log"))
        )


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def pipeline() -> AsyncIterator[Pipeline]:
    missing = can_emulate(os.environ)
    if missing is not None:
        if os.environ.get("CI") == "true":
            raise missing
        pytest.skip(str(missing))
    options = Options(scripted=True, poll_every_s=1.0)
    async with running_stack(options, say=lambda _: None) as stack:
        channel = insecure_channel(stack.plan.url("scheduler").removeprefix("http://"))
        scheduler = scheduler_v1.CloudSchedulerClient(
            transport=CloudSchedulerGrpcTransport(channel=channel)
        )
        async with httpx.AsyncClient(base_url=stack.plan.url("speech"), timeout=30) as speech:
            yield Pipeline(stack, speech, scheduler)
        channel.close()
