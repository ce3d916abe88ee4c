"""The contract of `Database`: one suite for the memory adapter and for Firestore."""

import asyncio
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lumimd.adapters.firestore.database import FirestoreDatabase
from lumimd.adapters.memory.database import MemoryDatabase
from lumimd.domain.commit import Conflict
from lumimd.ports.database import ID, Database, Query, Write
from lumimd.ports.paging import Cursor

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
ALL = Query("things")
BY_TIME = Query("things", order="at")


@pytest.fixture(params=["memory", pytest.param("firestore", marks=pytest.mark.emulator)])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    if request.param == "memory":
        yield MemoryDatabase()
        return
    from google.cloud import firestore

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("FIRESTORE_EMULATOR_HOST", request.getfixturevalue("firestore_host"))
        # A new project name gives the test an empty database.
        client = firestore.AsyncClient(project=f"demo-{uuid.uuid4().hex[:12]}")
    yield FirestoreDatabase(lambda: client)
    client.close()


def at(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


async def put(database: Database, **documents: dict[str, Any]) -> None:
    await database.commit(*(Write(f"things/{name}", fields) for name, fields in documents.items()))


async def ids(database: Database, query: Query, *rest: Any) -> list[str]:
    return [found.id for found in await database.find(query, *rest)]


async def test_get_returns_none_for_a_missing_document(database: Database) -> None:
    assert await database.get("things/a") is None
    assert await database.find(ALL) == []


async def test_get_returns_all_fields_or_only_the_named_fields(database: Database) -> None:
    stored = {"at": START, "of": {"count": 2}, "names": ["x", "y"], "none": None}
    await put(database, a=stored)
    found = await database.get("things/a")
    assert found is not None
    assert (found.id, found.fields) == ("a", stored)
    part = await database.get("things/a", "names", "missing")
    assert part is not None
    assert part.fields == {"names": ["x", "y"]}


async def test_a_write_without_a_precondition_replaces_the_document(database: Database) -> None:
    await put(database, a={"n": 1, "m": 1})
    await put(database, a={"n": 2})
    found = await database.get("things/a")
    assert found is not None
    assert found.fields == {"n": 2}


async def test_a_document_is_created_once(database: Database) -> None:
    created = [Write("things/a", {"n": n}, if_version=None) for n in range(5)]
    results = await asyncio.gather(*map(database.commit, created), return_exceptions=True)
    assert sum(isinstance(each, Conflict) for each in results) == 4


async def test_a_write_with_a_version_keeps_the_fields_that_it_does_not_name(
    database: Database,
) -> None:
    version = await database.commit(Write("things/a", {"n": 1, "m": 1}))
    newer = await database.commit(Write("things/a", {"n": 2}, if_version=version))
    found = await database.get("things/a")
    assert found is not None
    assert (found.fields, found.version) == ({"n": 2, "m": 1}, newer)


@pytest.mark.parametrize("late", [{"n": 3}, None], ids=["update", "deletion"])
async def test_a_late_write_with_an_old_version_is_a_conflict(
    database: Database, late: dict[str, Any] | None
) -> None:
    version = await database.commit(Write("things/a", {"n": 1}))
    await database.commit(Write("things/a", {"n": 2}, if_version=version))
    with pytest.raises(Conflict):
        await database.commit(Write("things/a", late, if_version=version))
    await database.commit(Write("things/a", None))
    with pytest.raises(Conflict):
        await database.commit(Write("things/a", {"n": 4}, if_version=version))
    assert await database.get("things/a") is None


async def test_a_commit_with_one_failed_precondition_writes_nothing(database: Database) -> None:
    await put(database, a={"n": 1}, b={"n": 1})
    with pytest.raises(Conflict):
        await database.commit(
            Write("things/a", {"n": 2}),
            Write("things/c", {"n": 2}, if_version=None),
            Write("things/b", {"n": 2}, if_version=None),
        )
    assert [found.fields for found in await database.find(ALL)] == [{"n": 1}, {"n": 1}]


async def test_a_missing_document_may_be_deleted(database: Database) -> None:
    await database.commit(Write("things/a", None))
    assert await database.get("things/a") is None


async def test_documents_are_paged_in_order_of_a_field_and_then_of_their_ids(
    database: Database,
) -> None:
    await put(
        database, c={"at": at(1)}, a={"at": at(2)}, b={"at": at(1)}, d={"at": at(0)}, e={"n": 1}
    )
    assert await ids(database, BY_TIME) == ["d", "b", "c", "a"]
    newest = Query("things", order="at", newest_first=True)
    assert await ids(database, newest) == ["a", "c", "b", "d"]
    assert await ids(database, BY_TIME, 2) == ["d", "b"]
    assert await ids(database, BY_TIME, 2, Cursor(at(1), "b")) == ["c", "a"]
    assert await ids(database, newest, 2, Cursor(at(1), "c")) == ["b", "d"]
    assert await ids(database, ALL, 3, Cursor(None, "b")) == ["c", "d", "e"]


async def test_a_page_can_start_after_the_position_of_a_deleted_document(
    database: Database,
) -> None:
    await put(database, a={"at": at(1)}, b={"at": at(1)}, c={"at": at(2)})
    await database.commit(Write("things/a", None))
    assert await ids(database, BY_TIME, None, Cursor(at(1), "a")) == ["b", "c"]


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (("n", "==", 2), ["b"]),
        (("n", "in", [1, 3]), ["a", "c"]),
        (("n", "<", 2), ["a"]),
        (("n", "<=", 2), ["a", "b"]),
        (("n", ">", 2), ["c"]),
        (("n", ">=", 2), ["b", "c"]),
        (("names", "array_contains", "x"), ["a", "c"]),
        (("n", ">", "1"), ["d"]),
        (("n", ">=", START), []),
        (("missing", "==", None), []),
        ((ID, "==", "b"), ["b"]),
    ],
)
async def test_a_condition_matches_only_values_of_its_own_type(
    database: Database, condition: tuple[str, str, Any], found: list[str]
) -> None:
    await put(
        database,
        a={"n": 1, "names": ["x", "y"]},
        b={"n": 2, "names": ["y"]},
        c={"n": 3, "names": ["x"]},
        d={"n": "2"},
        e={"other": 2},
    )
    assert await ids(database, ALL.where(*condition)) == found


async def test_several_conditions_are_combined_and_only_selected_fields_are_read(
    database: Database,
) -> None:
    await put(
        database,
        a={"kind": "x", "at": at(1), "text": "long"},
        b={"kind": "x", "at": at(5), "text": "long"},
        c={"kind": "y", "at": at(5), "text": "long"},
    )
    query = Query("things", order="at", fields=("kind",)).where("kind", "==", "x")
    late = query.where("at", ">=", at(2))
    assert [(each.id, each.fields) for each in await database.find(late)] == [("b", {"kind": "x"})]


async def test_a_query_finds_no_documents_of_other_collections(database: Database) -> None:
    await database.commit(
        Write("things/a", {"n": 1}), Write("things/a/parts/b", {"n": 1}), Write("other/c", {"n": 1})
    )
    assert await ids(database, ALL) == ["a"]
    assert await ids(database, Query("things/a/parts")) == ["b"]


async def test_documents_are_counted_in_total_and_before_a_position(database: Database) -> None:
    await put(database, **{f"d{n}": {"at": at(n), "kind": "xy"[n % 2]} for n in range(6)})
    assert await database.count(BY_TIME) == 6
    assert await database.count(BY_TIME, Cursor(at(4), "d4")) == 4
    assert await database.count(BY_TIME.where("kind", "==", "x"), Cursor(at(4), "d4")) == 2


async def test_a_total_adds_the_numbers_of_a_field_path_and_skips_other_values(
    database: Database,
) -> None:
    await put(
        database, a={"of": {"n": 1.5}}, b={"of": {"n": 2}}, c={"of": {"n": "3"}}, d={"of": None}
    )
    assert await database.total(ALL, "of.n") == 3.5


async def test_concurrent_draws_give_distinct_numbers_above_the_minimum(database: Database) -> None:
    async def draw(after: int) -> int:
        return await database.next_number("things/a", "n", after, {"by": "me"})

    assert await draw(10) == 11
    drawn = await asyncio.gather(*(draw(3) for _ in range(5)))
    assert sorted(drawn) == [12, 13, 14, 15, 16]
    found = await database.get("things/a")
    assert found is not None
    assert found.fields == {"n": 16, "by": "me"}
