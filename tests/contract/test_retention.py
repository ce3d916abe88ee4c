"""One retention run over Firestore handles hundreds of visits; half of them have no recording."""

import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from lumimd.adapters.firestore.database import FirestoreDatabase
from lumimd.pipeline import retain
from lumimd.policies.deployment import Policy
from lumimd.ports.paging import pages
from lumimd.stores.deletions import Deletions
from lumimd.stores.retention_queries import RetentionQueries
from lumimd.stores.visit_store import VisitStore
from tests.support.api import completed, failed, visit_of
from tests.support.examples import times
from tests.support.services import MemoryServices

VISITS = times(800, nightly=2_000)
A_BATCH = 400


class EmptyBucket:
    """A stub bucket that remembers the erased folders."""

    def __init__(self) -> None:
        self.erased: set[str] = set()

    async def erase(self, bucket: str, folder: str, up_to: int | None = None) -> int:
        self.erased.add(folder)
        return 1


@pytest.fixture
async def services(
    firestore_host: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[MemoryServices]:
    from google.cloud import firestore

    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_host)
    client = firestore.AsyncClient(project=f"demo-{uuid.uuid4().hex[:12]}")
    database = FirestoreDatabase(lambda: client)
    documents: list[tuple[str, dict[str, Any]]] = []
    for number in range(VISITS):
        visit = visit_of("user-1", f"v{number:04d}", minutes=number)
        recorded = number % 2 == 0
        made = completed(visit) if recorded else failed(visit, audio=None, timings=None)
        newer = {"currentStep": "of_a_newer_release"} if number < 3 else {}
        documents.append((f"visits/{visit.visit_id}", {**made.to_stored(), **newer}))
    for first in range(0, VISITS, A_BATCH):
        batch = client.batch()
        for path, stored in documents[first : first + A_BATCH]:
            batch.set(client.document(path), stored)
        await batch.commit()
    made_of = MemoryServices(policy=Policy(requires_consent=False))
    made_of.store = VisitStore(database)  # type: ignore[assignment]
    made_of.retention_queries = RetentionQueries(database)  # type: ignore[assignment]
    made_of.deletions = Deletions(database)  # type: ignore[assignment]
    made_of.audio = EmptyBucket()  # type: ignore[assignment]
    yield made_of
    client.close()


@pytest.mark.emulator
async def test_one_retention_run_erases_all_due_recordings(services: MemoryServices) -> None:
    services.clock.advance(timedelta(days=60))
    done = await retain.enforce(services)
    bucket: Any = services.audio
    wanted = {f"visits/user-1/v{number:04d}/" for number in range(4, VISITS, 2)}
    assert bucket.erased == wanted
    assert (done["recordings_erased"], done["unreadable"]) == (len(wanted), 3)
    left = [
        page
        async for page in pages(
            lambda at: services.retention_queries.with_audio(services.clock.now(), 300, at)
        )
    ]
    assert sum(page.read for page in left) == 3, "the next run does not read the others again"
