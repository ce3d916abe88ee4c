"""Run the API over services in memory, with real tokens and visits in several states."""

from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache, cached_property
from typing import Any

import httpx
from fastapi import FastAPI

from lumimd.adapters.local_tokens import LocalTokens
from lumimd.adapters.memory.uploads import MemoryUploads
from lumimd.api.application import make_app
from lumimd.coordination.rate_limits import Limits
from lumimd.domain.audio import Audio
from lumimd.domain.clinical import Medication, Medications, Statement
from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Commit, Stored
from lumimd.domain.dead_letter import DeadLetter
from lumimd.domain.progress import PERCENT, Step
from lumimd.domain.visit import (
    Action,
    HistoryEntry,
    Ledger,
    ProcessingError,
    ProcessingStatus,
    Stage,
    Status,
    Timings,
    Transcription,
    Visit,
)
from lumimd.policies.tiers import Limited, Tier
from lumimd.policies.token_bucket import Bucket, Policy
from lumimd.stores.idempotency_store import IdempotencyStore
from lumimd.stores.owner_queries import OwnerQueries
from tests.support.operators import OperatorTools
from tests.support.services import START, MemoryServices, transcript
from tests.support.shared_documents import in_memory

PROJECT = "demo-lumimd"
SECRET = "a secret of the tests, used nowhere else"
UNLIMITED = {
    limited: dict.fromkeys(Tier, Policy(10_000, timedelta(minutes=1), 10_000))
    for limited in Limited
}


@dataclass
class ApiMemoryServices(OperatorTools, MemoryServices):
    """The services of the API, in memory."""

    uploads: MemoryUploads = field(default_factory=MemoryUploads)
    policies: dict[Limited, dict[Tier, Policy]] = field(default_factory=lambda: UNLIMITED)

    @cached_property
    def tokens(self) -> LocalTokens:
        return LocalTokens(SECRET, PROJECT, self.clock)

    @cached_property
    def idempotency(self) -> IdempotencyStore:
        return IdempotencyStore(self.store.database)

    @cached_property
    def owner_queries(self) -> OwnerQueries:
        return OwnerQueries(self.store.database)

    @cached_property
    def limits(self) -> Limits:
        of_all: dict[Limited, Policy] = {}
        return Limits(in_memory(Bucket), self.clock, self.new_id, self.policies, of_all)


@dataclass
class Api:
    """The app, its services, and methods to call it as a user."""

    services: ApiMemoryServices
    app: FastAPI
    http: httpx.AsyncClient

    async def call(
        self,
        method: str,
        path: str,
        user: str | None = "user-1",
        *,
        admin: bool = False,
        **options: Any,
    ) -> httpx.Response:
        headers = dict(options.pop("headers", None) or {})
        if user is not None:
            headers["Authorization"] = f"Bearer {self.services.tokens.issue(user, admin=admin)}"
        return await self.http.request(method, path, headers=headers, **options)

    async def get(
        self, path: str, user: str | None = "user-1", **options: object
    ) -> httpx.Response:
        return await self.call("GET", path, user, **options)  # type: ignore[arg-type]

    async def post(
        self, path: str, user: str | None = "user-1", **options: object
    ) -> httpx.Response:
        return await self.call("POST", path, user, **options)  # type: ignore[arg-type]


def client_of(app: FastAPI) -> httpx.AsyncClient:
    """Return a client that calls the app in this process; an uncaught error becomes a 500."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://api")


@cache
def _app() -> FastAPI:
    """Make the app only once, because FastAPI needs a while to inspect all routes."""
    return make_app(ApiMemoryServices, origins=["https://app.example.com"])


def api_over(services: ApiMemoryServices) -> Api:
    """Return the API over `services`; a later call replaces the services of earlier results."""
    app = _app()
    app.state.services = lambda: services
    return Api(services, app, client_of(app))


def visit_of(user_id: str, visit_id: str, *, minutes: int = 0, **fields: object) -> Visit:
    """Return a visit without a recording, created `minutes` after START."""
    created_at = START + timedelta(minutes=minutes)
    visit = Visit(visit_id=visit_id, user_id=user_id, created_at=created_at, updated_at=created_at)
    return visit.model_copy(update={"wake_at": created_at, **fields})


def audio_of(visit: Visit) -> Audio:
    return Audio(
        bucket="recordings",
        storage_path=f"visits/{visit.user_id}/{visit.visit_id}/audio.m4a",
        generation=1,
        content_type="audio/mp4",
        size_bytes=64_000,
        duration_seconds=60.0,
    )


def transcribing(visit: Visit, **fields: object) -> Visit:
    return visit.model_copy(
        update={
            "audio": audio_of(visit),
            "processing_status": ProcessingStatus.TRANSCRIBING,
            "current_step": Step.TRANSCRIBING,
            "progress_percent": PERCENT[Step.TRANSCRIBING],
            "estimated_seconds_remaining": 50,
            "timings": Timings(processing_started_at=visit.created_at),
            **fields,
        }
    )


def transcribed(visit: Visit, **fields: object) -> Visit:
    return transcribing(visit).model_copy(
        update={
            "transcription": Transcription(
                provider="assemblyai",
                transcript_id=f"job-{visit.visit_id}",
                submitted_at=visit.created_at,
                completed_at=visit.created_at + timedelta(seconds=30),
                language_code="en",
            ),
            "transcript_pages": 1,
            "processing_status": ProcessingStatus.SUMMARIZING,
            "current_step": Step.SUMMARIZING,
            "progress_percent": PERCENT[Step.SUMMARIZING],
            "ledger": Ledger(audio_seconds=60.0, orders=1),
            **fields,
        }
    )


def completed(visit: Visit, **fields: object) -> Visit:
    said = ["u1"]
    aspirin = Medication(name="Aspirin", dose="100 mg", frequency=None, evidence=said)
    return transcribed(visit).model_copy(
        update={
            "status": Status.COMPLETED,
            "processing_status": ProcessingStatus.COMPLETED,
            "current_step": Step.COMPLETED,
            "progress_percent": 100,
            "estimated_seconds_remaining": 0,
            "wake_at": None,
            "source": "model",
            "summary": "The patient coughs.",
            "summary_statements": (Statement(text="The patient coughs.", evidence=said),),
            "medications": Medications(started=[aspirin], stopped=[], changed=[]),
            "action_ids": (f"{visit.visit_id}-000",),
            "ledger": Ledger(audio_seconds=60.0, orders=1, summaries=1),
            "timings": Timings(processing_started_at=visit.created_at).ended_at(
                visit.created_at + timedelta(seconds=45)
            ),
            **fields,
        }
    )


def failed(visit: Visit, **fields: object) -> Visit:
    error = ProcessingError.of(ErrorCode.TRANSCRIPTION_FAILED, Stage.TRANSCRIPTION)
    return transcribing(visit).model_copy(
        update={
            "status": Status.FAILED,
            "processing_status": ProcessingStatus.FAILED,
            "processing_error": error,
            "wake_at": None,
            "estimated_seconds_remaining": 0,
            **fields,
        }
    )


def action_of(visit: Visit, number: int = 0, text: str = "Rest.") -> Action:
    return Action(
        action_id=f"{visit.visit_id}-{number:03d}",
        visit_id=visit.visit_id,
        user_id=visit.user_id,
        text=text,
        evidence=("u1",),
        due="in two weeks",
        created_at=visit.created_at,
    )


def commit_of(visit: Visit) -> Commit:
    """Return a commit with the history, transcript, actions and dead letter that fit the visit."""
    entry = HistoryEntry(
        position=0,
        event="audio_accepted",
        from_status=ProcessingStatus.PENDING,
        to_status=ProcessingStatus.PENDING,
        attempt=1,
        at=visit.created_at,
    )
    has_failed = visit.processing_status is ProcessingStatus.FAILED
    return Commit(
        visit.model_copy(update={"history_length": 1}),
        entries=(entry,),
        pages=transcript().pages() if visit.transcription else None,
        actions=(action_of(visit),) if visit.action_ids else None,
        dead_letter=DeadLetter.of(visit, visit.updated_at) if has_failed else None,
    )


async def stored(services: ApiMemoryServices, *visits: Visit) -> list[Stored]:
    """Store the visits."""
    return [await services.store.create(commit_of(visit)) for visit in visits]
