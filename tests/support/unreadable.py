"""Fill databases, in memory or in the emulator, with documents this release cannot read."""

import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from lumimd.adapters.firestore.database import FirestoreDatabase
from lumimd.adapters.memory import MemoryVisitStore
from lumimd.stores.deletions import Deletions
from lumimd.stores.operator_store import OperatorStore
from lumimd.stores.owner_queries import OwnerQueries
from lumimd.stores.queued_visits import QueuedVisits
from lumimd.stores.retention_queries import RetentionQueries
from lumimd.stores.visit_counts import VisitCounts
from lumimd.stores.visit_store import VisitStore

Stored = dict[str, Any]

DAMAGES: Mapping[str, Callable[[Stored], Stored]] = {
    "a value of a newer release": lambda stored: {**stored, **_newer(stored)},
    "a field that is missing": lambda stored: _without(stored, _id_of(stored)),
    "a field of another type": lambda stored: {**stored, _id_of(stored): {"a": [1]}},
}

_IDS = ("actionId", "entryId", "position", "visitId")
_CLOSED_LISTS = ("currentStep", "outcome", "toStatus", "code")


@dataclass
class Database:
    """All stores of the product over one database; `put` writes a document unchecked."""

    store: VisitStore
    archive: RetentionQueries
    deletions: Deletions
    room: QueuedVisits
    owner_queries: OwnerQueries
    operators: OperatorStore
    visit_counts: VisitCounts
    put: Callable[[str, Stored], Awaitable[None]]


@contextmanager
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """Yield an empty database: in memory or in the emulator by the fixture's parameter."""
    if request.param == "memory":
        memory = MemoryVisitStore()

        async def keep(path: str, document: Stored) -> None:
            memory.raw[path] = document

        yield Database(
            memory,
            RetentionQueries(memory.database),
            Deletions(memory.database),
            QueuedVisits(memory.database),
            OwnerQueries(memory.database),
            OperatorStore(memory.database),
            VisitCounts(memory.database),
            keep,
        )
        return
    from google.cloud import firestore

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("FIRESTORE_EMULATOR_HOST", request.getfixturevalue("firestore_host"))
        client = firestore.AsyncClient(project=f"demo-{uuid.uuid4().hex[:12]}")
        database = FirestoreDatabase(lambda: client)

    async def write(path: str, document: Stored) -> None:
        await client.document(path).set(document)

    yield Database(
        VisitStore(database),
        RetentionQueries(database),
        Deletions(database),
        QueuedVisits(database),
        OwnerQueries(database),
        OperatorStore(database),
        VisitCounts(database),
        write,
    )
    client.close()


def _newer(stored: Stored) -> Stored:
    """Return an unknown value for a field that allows only known values, or a wrong id."""
    known = next((name for name in _CLOSED_LISTS if name in stored), None)
    return {known: "of_a_newer_release"} if known else {_id_of(stored): None}


def _without(stored: Stored, field: str) -> Stored:
    return {name: value for name, value in stored.items() if name != field}


def _id_of(stored: Stored) -> str:
    return next(name for name in _IDS if name in stored)
