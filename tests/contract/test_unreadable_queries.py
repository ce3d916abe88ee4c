"""No query hides readable documents behind unreadable ones, in memory and in Firestore.

Documents with three kinds of damage stand first, in the middle and last, and fill whole pages.
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from lumimd.domain.document import Document
from lumimd.domain.visit import Action, Deletion, ProcessingStatus, Visit
from lumimd.ports.paging import Page, pages
from lumimd.stores.operator_store import AuditFilter, LetterFilter, VisitFilter, mark_of
from lumimd.stores.owner_queries import ListPosition
from lumimd.telemetry import logs
from tests.monitoring.lines import Lines
from tests.support.damaged import action, deletion, entry, letter, line, visit
from tests.support.services import START
from tests.support.shared_documents import MEMORY_AND_FIRESTORE
from tests.support.unreadable import DAMAGES, Database, database

MINUTE = timedelta(minutes=1)
LATER = START + timedelta(days=1)
GOOD = ("g1", "g2", "g3")
PLACES = ("b0", "g1", "b1", "b2", "b3", "g2", "b4", "g3", "b5")
"""Ids from the oldest to the newest; `b1` and `b2` fill a page of two that is all unreadable."""


@pytest.fixture(params=MEMORY_AND_FIRESTORE)
def db(request: pytest.FixtureRequest) -> Iterator[Database]:
    with database(request) as made:
        yield made


Ask = Callable[[Database], Awaitable[list[str]]]


async def names(ask: Callable[[Any], Awaitable[Page[Any]]]) -> list[str]:
    """Return the visit ids of every page of a query."""
    found = [item async for page in pages(ask) for item in page.items]
    return [item.visit_id if isinstance(item, Deletion) else item.visit.visit_id for item in found]


async def owned(d: Database) -> list[str]:
    found: list[Visit] = []
    while page := (await d.owner_queries.visits("u", limit=2, after=_place(found))).items:
        found += page
    return [each.visit_id for each in found]


async def items(d: Database) -> list[str]:
    found: list[Action] = []
    while page := await d.owner_queries.actions("u", limit=2, after=_place(found)):
        found += page
    return [each.action_id for each in found]


def _place(found: list[Any]) -> ListPosition | None:
    if not found:
        return None
    last = found[-1]
    return ListPosition(last.created_at, getattr(last, "action_id", last.visit_id))


async def listed(ask: Callable[[Any], Awaitable[Any]]) -> list[str]:
    """Return the ids of every page of a list for operators."""
    found: list[Any] = []
    while page := await ask(mark_of(found[-1]) if found else None):
        found += page
    return [getattr(each, "entry_id", None) or each.visit_id for each in found]


async def ids_of(found: Awaitable[Any], name: str = "visit_id") -> list[str]:
    return [getattr(getattr(each, "visit", each), name) for each in await found]


@dataclass(frozen=True)
class Query:
    """A query and its documents; `newest_first` if the list begins with the newest document."""

    folder: str
    make: Callable[[str, datetime], Document]
    ask: Ask
    newest_first: bool = False


QUERIES = {
    "store.due": Query(
        "visits", visit, lambda d: names(lambda after: d.store.due(LATER, 2, after))
    ),
    "store.overdue": Query(
        "visits", visit, lambda d: names(lambda after: d.store.overdue(LATER, 2, after))
    ),
    "archive.with_audio": Query(
        "visits", visit, lambda d: names(lambda after: d.archive.with_audio(LATER, 2, after))
    ),
    "archive.between": Query(
        "visits",
        visit,
        lambda d: names(lambda after: d.archive.between(START - MINUTE, LATER, 2, after)),
    ),
    "archive.waiting": Query(
        "visits", visit, lambda d: names(lambda after: d.archive.waiting(LATER, 2, after))
    ),
    "archive.older": Query(
        "visits", visit, lambda d: names(lambda after: d.archive.older(LATER, 2, after))
    ),
    "deletions.due": Query(
        "deletions", deletion, lambda d: names(lambda after: d.deletions.due(LATER, 2, after))
    ),
    "room.waiting": Query("visits", visit, lambda d: ids_of(d.room.waiting(0, 10**6, 10))),
    "library.visits": Query("visits", visit, owned, newest_first=True),
    "library.batch": Query("visits", visit, lambda d: ids_of(d.owner_queries.batch("u", "batch"))),
    "library.actions": Query("actions", action, items, newest_first=True),
    "store.actions": Query("actions", action, lambda d: ids_of(d.store.actions("v"), "action_id")),
    "store.history": Query(
        "visits/v/history", line, lambda d: ids_of(d.store.history("v"), "event")
    ),
    "operators.visits": Query(
        "visits",
        visit,
        lambda d: listed(lambda after: d.operators.visits(VisitFilter(), 2, after)),
        newest_first=True,
    ),
    "operators.much_retried": Query(
        "visits", visit, lambda d: ids_of(d.operators.much_retried(0, 3)), newest_first=True
    ),
    "operators.stuck": Query("visits", visit, lambda d: ids_of(d.operators.stuck(LATER, 3))),
    "operators.letters": Query(
        "deadLetters",
        letter,
        lambda d: listed(lambda after: d.operators.letters(LetterFilter(), 2, after)),
        newest_first=True,
    ),
    "operators.audit": Query(
        "ops/audit/entries",
        entry,
        lambda d: listed(lambda after: d.operators.audit(AuditFilter(), 2, after)),
        newest_first=True,
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", QUERIES)
async def test_readable_documents_are_found_behind_unreadable_ones(
    db: Database, name: str, damage: str
) -> None:
    query = QUERIES[name]
    for number, document_id in enumerate(PLACES):
        stored = query.make(document_id, START + number * MINUTE).to_stored()
        if document_id not in GOOD:
            stored = DAMAGES[damage](stored)
        if "visitId" not in stored and name == "store.actions":
            stored["visitId"] = "v"  # the query filters by `visitId`
        key = f"{number:06d}" if name == "store.history" else document_id
        await db.put(f"{query.folder}/{key}", stored)
    found = await query.ask(db)
    assert found == [*(reversed(GOOD) if query.newest_first else GOOD)]


async def test_a_queued_visit_is_found_behind_more_than_a_page_of_unreadable_documents(
    db: Database,
) -> None:
    """Each submission runs this query to learn whether another queued visit is ahead."""
    newer = {"currentStep": "of_a_newer_release"}
    for number in range(130):
        before = visit(f"b{number:03d}", START + number * timedelta(seconds=1))
        await db.put(f"visits/{before.visit_id}", {**before.to_stored(), **newer})
    last = visit("g", START + 5 * MINUTE)
    await db.put("visits/g", last.to_stored())
    assert await ids_of(db.room.waiting(0, 10**6, 1)) == ["g"]
    assert await ids_of(db.room.waiting(0, last.turn or 0, 1)) == []


async def test_counts_include_unreadable_documents(db: Database) -> None:
    for name, at in (("g", START), ("b", START + MINUTE)):
        made = visit(name, at).to_stored()
        newer = {"currentStep": "of_a_newer_release"} if name == "b" else {}
        await db.put(f"visits/{name}", {**made, **newer})
        await db.put(f"deadLetters/{name}", {**letter(name, at).to_stored(), "tries": name})
    assert await db.visit_counts.visits(ProcessingStatus.PENDING) == 2
    assert await db.visit_counts.open_dead_letters(LATER) == 2
    assert (await db.operators.counts())[ProcessingStatus.PENDING] == 2
    assert (await db.owner_queries.used("u", START)).visits == 2


@pytest.fixture
async def named(db: Database) -> list[dict[str, Any]]:
    """Return the log lines of reading a page with two unreadable documents among three."""
    good = visit("g", START).to_stored()
    await db.put("visits/g", good)
    await db.put("visits/b1", {**good, "visitId": "b1", "currentStep": "Frau Meier"})
    missing = {name: value for name, value in good.items() if name != "userId"}
    await db.put("visits/b2", {**missing, "visitId": "b2"})
    logs.configure(to=(written := Lines()))
    page = await db.store.due(LATER, 10)
    logs.configure()
    assert page.unreadable == ("b1", "b2")
    return written.all()


async def test_the_log_names_an_unreadable_document_by_id_and_reason_without_contents(
    named: list[dict[str, Any]],
) -> None:
    logged = [
        {key: line.get(key) for key in ("collection", "documentId", "reason", "severity")}
        for line in named
        if line["event"] == "document_unreadable"
    ]
    at = {"collection": "visits", "severity": "ERROR"}
    assert logged == [
        {**at, "documentId": "b1", "reason": "currentStep enum"},
        {**at, "documentId": "b2", "reason": "userId missing"},
    ]
    (count,) = [line for line in named if line["event"] == "documents_passed_over"]
    assert (count["collection"], count["count"]) == ("visits", 2)
    assert "Meier" not in str(named)
