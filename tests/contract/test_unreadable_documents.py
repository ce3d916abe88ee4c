"""Reading one unreadable document raises a clear error, and no write replaces the document."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from lumimd.domain.commit import Commit, Conflict
from lumimd.domain.document import Document
from lumimd.domain.errors import UnreadableDocument
from lumimd.domain.profile import Profile
from tests.support.damaged import action, deletion, letter, visit
from tests.support.services import START, transcript
from tests.support.shared_documents import MEMORY_AND_FIRESTORE
from tests.support.unreadable import DAMAGES, Database, database


@pytest.fixture(params=MEMORY_AND_FIRESTORE)
def db(request: pytest.FixtureRequest) -> Iterator[Database]:
    with database(request) as made:
        yield made


Get = Callable[[Database], Awaitable[object]]

GETS: dict[str, tuple[str, Document, Get]] = {
    "store.get": ("visits/v", visit("v", START), lambda d: d.store.get("v")),
    "store.dead_letter": ("deadLetters/v", letter("v", START), lambda d: d.store.dead_letter("v")),
    "deletions.get": ("deletions/v", deletion("v", START), lambda d: d.deletions.get("v")),
    "operators.letter": ("deadLetters/v", letter("v", START), lambda d: d.operators.letter("v")),
    "library.action": ("actions/a", action("a", START), lambda d: d.owner_queries.action("a")),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", GETS)
async def test_reading_an_unreadable_document_raises_an_error_that_names_it(
    db: Database, name: str, damage: str
) -> None:
    path, document, get = GETS[name]
    await db.put(path, DAMAGES[damage](document.to_stored()))
    with pytest.raises(UnreadableDocument) as raised:
        await get(db)
    assert f"{raised.value.collection}/{raised.value.document_id}" == path
    await db.put(path, document.to_stored())
    assert await get(db), "it is as good as any other when it can be read again"


async def test_a_transcript_with_an_unreadable_page_is_unreadable(db: Database) -> None:
    part = transcript((("A", "word " * 500),) * 6).pages(max_bytes=6_000)
    for page in part:
        await db.put(f"visits/v/transcript/{page.page:06d}", page.to_stored())
    await db.put("visits/v/transcript/000001", {**part[1].to_stored(), "utterances": 7})
    with pytest.raises(UnreadableDocument):
        await db.store.transcript("v")


async def test_an_unreadable_visit_is_not_overwritten(db: Database) -> None:
    stored = {**visit("v", START).to_stored(), "currentStep": "of_a_newer_release"}
    await db.put("visits/v", stored)
    with pytest.raises(Conflict):
        await db.store.create(Commit(visit("v", START)))
    await db.put(
        "deletions/d", DAMAGES["a field that is missing"](deletion("d", START).to_stored())
    )
    with pytest.raises(Conflict):
        await db.store.create(Commit(visit("d", START)))


async def test_an_unreadable_dead_letter_is_deleted_with_its_visit(db: Database) -> None:
    damaged = DAMAGES["a field that is missing"](letter("v", START).to_stored())
    await db.put("deadLetters/v", damaged)
    assert (await db.deletions.erase("v"))["deadLetters"] == 1
    assert (await db.deletions.erase("v"))["deadLetters"] == 0


@pytest.mark.parametrize(
    ("stored", "tier"),
    [
        ({"tier": "paid", "preferences": "none"}, "paid"),
        ({"tier": {"name": "paid"}, "preferences": {"theme": "dark"}}, None),
    ],
)
async def test_the_readable_fields_of_a_damaged_profile_are_used(
    db: Database, stored: dict[str, Any], tier: str | None
) -> None:
    await db.put("users/u", stored)
    assert await db.owner_queries.profile("u") == Profile(user_id="u", tier=tier)
