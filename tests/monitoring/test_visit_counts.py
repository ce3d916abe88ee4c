"""`VisitCounts` counts alike in memory and in Firestore, and the counts are logged."""

import io
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from lumimd.adapters.firestore.database import FirestoreDatabase
from lumimd.adapters.memory import MemoryVisitStore
from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Commit
from lumimd.domain.dead_letter import DeadLetter
from lumimd.domain.visit import ProcessingError, ProcessingStatus, Stage, Visit
from lumimd.pipeline.visit_counts import count_visits
from lumimd.stores.visit_counts import VisitCounts
from lumimd.stores.visit_store import VisitStore
from lumimd.telemetry import logs
from tests.support.services import START

HOUR = timedelta(hours=1)


@dataclass
class Counted:
    store: VisitStore
    visit_counts: VisitCounts

    async def put(self, visit_id: str, status: ProcessingStatus, age: timedelta = HOUR) -> None:
        at = START - age
        visit = Visit(
            visit_id=visit_id,
            user_id="user-1",
            processing_status=status,
            processing_error=ProcessingError.of(ErrorCode.NO_SPEECH, Stage.TRANSCRIPTION),
            created_at=at,
            updated_at=at,
        )
        failed = status is ProcessingStatus.FAILED
        letter = DeadLetter.of(visit, at) if failed else None
        await self.store.create(Commit(visit, dead_letter=letter))


@pytest.fixture(params=["memory", pytest.param("firestore", marks=pytest.mark.emulator)])
async def counted(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Counted]:
    if request.param == "memory":
        store = MemoryVisitStore()
        yield Counted(store, VisitCounts(store.database))
        return
    from google.cloud import firestore

    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", request.getfixturevalue("firestore_host"))
    client = firestore.AsyncClient(project=f"demo-{uuid.uuid4().hex[:12]}")
    database = FirestoreDatabase(lambda: client)
    yield Counted(
        VisitStore(database),
        VisitCounts(database),
    )
    client.close()


async def test_visits_are_counted_by_status(counted: Counted) -> None:
    await counted.put("visit-1", ProcessingStatus.SUMMARIZING)
    await counted.put("visit-2", ProcessingStatus.SUMMARIZING)
    await counted.put("visit-3", ProcessingStatus.PENDING)
    assert await counted.visit_counts.visits(ProcessingStatus.SUMMARIZING) == 2
    assert await counted.visit_counts.visits(ProcessingStatus.TRANSCRIBING) == 0


async def test_only_dead_letters_of_a_minimum_age_are_counted(counted: Counted) -> None:
    await counted.put("visit-1", ProcessingStatus.FAILED, age=HOUR)
    await counted.put("visit-2", ProcessingStatus.FAILED, age=HOUR - timedelta(seconds=1))
    await counted.put("visit-3", ProcessingStatus.COMPLETED, age=2 * HOUR)
    assert await counted.visit_counts.open_dead_letters(START - HOUR) == 1


async def test_a_dead_letter_that_an_operator_discarded_is_not_counted(counted: Counted) -> None:
    await counted.put("visit-1", ProcessingStatus.FAILED, age=2 * HOUR)
    stored = await counted.store.get("visit-1")
    letter = await counted.store.dead_letter("visit-1")
    assert stored
    assert letter
    discarded = letter.discarded("operator-1", "a test recording", START)
    await counted.store.save(stored, Commit(stored.visit, dead_letter=discarded))
    assert await counted.visit_counts.open_dead_letters(START) == 0


async def test_each_visit_count_is_logged_on_one_line(counted: Counted) -> None:
    await counted.put("visit-1", ProcessingStatus.TRANSCRIBING)
    await counted.put("visit-2", ProcessingStatus.FAILED)
    await counted.put("visit-3", ProcessingStatus.FAILED, age=HOUR / 2)
    logs.configure(to=(written := io.StringIO()))
    await count_visits(counted.visit_counts, START)
    logs.configure()
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [(x["event"], x.get("processingStatus"), x["count"]) for x in lines] == [
        ("visits_counted", "pending", 0),
        ("visits_counted", "transcribing", 1),
        ("visits_counted", "summarizing", 0),
        ("dead_letters_counted", None, 1),
    ]
