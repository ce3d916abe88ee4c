"""Every Firestore query has an index, because the cloud (not the emulator) needs one."""

import ast
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore

from lumimd.adapters.firestore.database import FirestoreDatabase
from lumimd.domain.codes import ErrorCode
from lumimd.domain.dead_letter import DeadLetter, LetterState
from lumimd.domain.visit import ProcessingStatus, Stage
from lumimd.domain.visit_groups import Group
from lumimd.stores.deletions import Deletions
from lumimd.stores.idempotency_store import IdempotencyStore
from lumimd.stores.operator_store import AuditFilter, LetterFilter, OperatorStore, VisitFilter
from lumimd.stores.owner_queries import OwnerQueries
from lumimd.stores.queued_visits import QueuedVisits
from lumimd.stores.retention_queries import RetentionQueries
from lumimd.stores.shared_documents import SharedDocuments
from lumimd.stores.visit_counts import VisitCounts
from lumimd.stores.visit_store import VisitStore
from tests.terraform.offline import ROOT
from tests.terraform.queries import Query, declared, is_served, recorded, unindexed

NOW = datetime(2026, 3, 1, tzinfo=UTC)

Ask = Callable[[Any], Awaitable[object]]


def each(ask: Callable[..., Ask], *choices: tuple[object, ...]) -> list[Ask]:
    return [ask(*chosen) for chosen in product(*choices)]


CODE = next(iter(ErrorCode))

ASKED: dict[type, dict[str, list[Ask]]] = {
    VisitStore: {
        "due": [lambda s: s.due(NOW, 10)],
        "transcript": [lambda s: s.transcript("v")],
        "history": [lambda s: s.history("v")],
        "overdue": [lambda s: s.overdue(NOW, 10)],
        "actions": [lambda s: s.actions("v")],
        "stored_actions": [lambda s: s.stored_actions("v")],
    },
    IdempotencyStore: {"forget": [lambda s: s.forget("u")]},
    RetentionQueries: {
        "with_audio": [lambda s: s.with_audio(NOW, 10)],
        "between": [lambda s: s.between(NOW, NOW, 10)],
        "waiting": [lambda s: s.waiting(NOW, 10)],
        "older": [lambda s: s.older(NOW, 10)],
    },
    VisitCounts: {
        "visits": [lambda s: s.visits(ProcessingStatus.PENDING)],
        "open_dead_letters": [lambda s: s.open_dead_letters(NOW)],
    },
    Deletions: {
        "due": [lambda s: s.due(NOW, 10)],
        "erase": [lambda s: s.erase("v")],
        "holds": [lambda s: s.holds(10)],
        "remains": [lambda s: s.remains("v")],
        "since": [lambda s: s.since(NOW, 10)],
        "visits_named": [lambda s: s.visits_named("u", 10)],
        "visits_of": [lambda s: s.visits_of("u", 10)],
    },
    OwnerQueries: {
        "visits": each(
            lambda group: lambda s: s.visits("u", limit=10, group=group), (None, *Group)
        ),
        "batch": [lambda s: s.batch("u", "b")],
        "actions": each(
            lambda completed: lambda s: s.actions("u", limit=10, completed=completed),
            (None, True, False),
        ),
        "used": [lambda s: s.used("u", NOW)],
        "was_retired": [lambda s: s.was_retired("u", "a")],
    },
    OperatorStore: {
        "visits": each(
            lambda *wanted: lambda s: s.visits(VisitFilter(*wanted), 10),
            (None, ProcessingStatus.FAILED),
            (None, "u"),
            (None, NOW),
        ),
        "much_retried": [lambda s: s.much_retried(3, 10)],
        "stuck": [lambda s: s.stuck(NOW, 10)],
        "counts": [lambda s: s.counts()],
        "letters": each(
            lambda *wanted: lambda s: s.letters(LetterFilter(*wanted), 10),
            (None, Stage.SUMMARY),
            (None, CODE),
            (None, "u"),
            (None, NOW),
            (None, LetterState.OPEN),
        ),
        "audit": each(
            lambda *wanted: lambda s: s.audit(AuditFilter(*wanted), 10), (None, "a"), (None, "t")
        ),
    },
    QueuedVisits: {
        "waiting": [lambda s: s.waiting(0, 10, 10)],
        "before": [lambda s: s.before(0, 10, "v")],
    },
    SharedDocuments: {"all": [lambda s: s.all()]},
}

DESCENDING = (("createdAt", "DESCENDING"),)

CLIENTS = [
    # The queries that firestore.rules allow owners: lists of their own documents, newest first.
    *(
        Query("visits", frozenset({"userId", *filters}), DESCENDING)
        for filters in ((), ("archived",), ("archived", "status"), ("archived", "processingStatus"))
    ),
    *(
        Query("actions", frozenset({"userId", *filters}), DESCENDING)
        for filters in ((), ("completed",), ("visitId",), ("visitId", "completed"))
    ),
]

QUESTIONS = [
    pytest.param(adapter, ask, id=f"{adapter.__name__}.{method}-{number}")
    for adapter, methods in ASKED.items()
    for method, asks in methods.items()
    for number, ask in enumerate(asks)
]


@pytest.fixture(scope="module")
def client() -> firestore.AsyncClient:
    return firestore.AsyncClient(project="demo", credentials=AnonymousCredentials())


def store_of(adapter: type, client: firestore.AsyncClient) -> Any:
    if adapter is SharedDocuments:
        return SharedDocuments(FirestoreDatabase(lambda: client), "ops/limits/buckets", DeadLetter)
    return adapter(FirestoreDatabase(lambda: client))


@pytest.mark.parametrize(("adapter", "ask"), QUESTIONS)
async def test_an_index_serves_every_query_of_the_stores(
    adapter: type, ask: Ask, client: firestore.AsyncClient
) -> None:
    with recorded() as made:
        await ask(store_of(adapter, client))
    assert made
    indexes, off = declared(), unindexed()
    for query in made:
        served = is_served(query, indexes.get(query.collection, []), off)
        assert served, f"infra/firestore.indexes.json lacks an index for {query}"


@pytest.mark.parametrize("query", CLIENTS, ids=str)
def test_an_index_serves_every_query_of_clients(query: Query) -> None:
    assert is_served(query, declared()[query.collection], unindexed())


async def test_every_declared_index_serves_a_query(client: firestore.AsyncClient) -> None:
    queries = set(CLIENTS)
    for adapter, methods in ASKED.items():
        for ask in (ask for asks in methods.values() for ask in asks):
            with recorded() as made:
                await ask(store_of(adapter, client))
            queries.update(made)
    off = unindexed()
    for collection, indexes in declared().items():
        asked = [query for query in queries if query.collection == collection]
        for index in indexes:
            without = [other for other in indexes if other != index]
            assert any(
                is_served(query, indexes, off) and not is_served(query, without, off)
                for query in asked
            ), f"no query of {collection} needs {index}"


def querying_methods(path: Path) -> set[str]:
    """Return the public methods in a store's file whose source contains a query."""
    source = path.read_text()
    return {
        f"{owner.name}.{method.name}"
        for owner in ast.parse(source).body
        if isinstance(owner, ast.ClassDef)
        for method in owner.body
        if isinstance(method, ast.AsyncFunctionDef)
        and not method.name.startswith("_")
        and any(
            word in ast.unparse(method.body)
            for word in (
                "Query(",
                "_where(",
                "_OLDEST_FIRST",
                "_between(",
                "_below(",
                "_documents_of(",
                "_newest_first(",
                "_until(",
                "_visits(",
            )
        )
    }


def test_this_file_lists_every_store_method_that_queries() -> None:
    folder = ROOT / "functions/lumimd/stores"
    asking = {name for path in folder.glob("*.py") for name in querying_methods(path)}
    assert asking
    here = {f"{adapter.__name__}.{name}" for adapter, methods in ASKED.items() for name in methods}
    assert asking <= here


def test_is_served_finds_a_missing_or_disabled_index() -> None:
    query = Query("visits", frozenset({"userId", "archived"}), (("createdAt", "DESCENDING"),))
    by_user = (("userId", "ASCENDING"), ("createdAt", "DESCENDING"))
    by_archived = (("archived", "ASCENDING"), ("createdAt", "DESCENDING"))
    oldest_first = (("archived", "ASCENDING"), ("createdAt", "ASCENDING"))
    assert not is_served(query, [by_user], frozenset())
    assert not is_served(query, [by_user, oldest_first], frozenset())
    assert is_served(query, [by_user, by_archived], frozenset())
    assert not is_served(query, [by_user, by_archived], frozenset({("visits", "archived")}))
