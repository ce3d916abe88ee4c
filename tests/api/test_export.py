"""An export in parts is complete after any interruption and needs constant memory."""

import io
import json
import tracemalloc
import zipfile
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lumimd.api import export
from lumimd.api.listing import cursor_of, place_of_cursor
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Transient
from lumimd.domain.visit import Visit
from lumimd.policies import time_budgets
from lumimd.ports.paging import Page
from lumimd.stores.owner_queries import ListPosition
from tests.support.api import Api, ApiMemoryServices, completed, stored, visit_of
from tests.support.examples import times
from tests.support.services import transcript

ROOT = Path(__file__).parents[2]
EXPORT = "/v1/me/export"


def opened(content: bytes) -> dict[str, Any]:
    """Return the files of one part; an interrupted part raises `BadZipFile`."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: json.loads(archive.read(name)) for name in archive.namelist()}


async def services_of(api: Api) -> AsyncIterator[dict[str, Any]]:
    """Yield the parts of an export as a client that repeats a refused or interrupted part."""
    cursor: str | None = ""
    for _ in range(100):
        answer = await api.get(EXPORT, params={"cursor": cursor} if cursor else None)
        try:
            files = opened(answer.content)
        except zipfile.BadZipFile:
            continue
        yield files
        cursor = files["manifest.json"]["nextCursor"]
        if cursor is None:
            return
    raise AssertionError("the export has no end")


async def ids_of(api: Api) -> list[str]:
    """Check the counts of each part and return the visit ids of all parts."""
    found: list[str] = []
    async for files in services_of(api):
        visits = [name[7:-5] for name in files if name.startswith("visits/")]
        assert files["manifest.json"]["counts"]["visits"] == len(visits)
        found += visits
    return found


async def has_visits(api: Api, count: int) -> list[str]:
    """Create visits, some at the same instant, and return their ids, newest first."""
    await stored(
        api.services, *(visit_of("user-1", f"v{n:05d}", minutes=n // 3) for n in range(count))
    )
    return [f"v{n:05d}" for n in reversed(range(count))]


@pytest.mark.parametrize("count", [0, 1, 6, 7, 14, 30])
async def test_the_parts_of_an_export_contain_every_visit_once_in_order(
    api: Api, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(export, "PART", 7)
    monkeypatch.setattr(export, "PAGE", 4)
    wanted = await has_visits(api, count)
    assert await ids_of(api) == wanted


async def test_an_export_part_ends_after_its_time_limit_with_at_least_one_visit(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = await has_visits(api, 12)
    read = api.services.store.transcript

    async def slow(visit_id: str) -> Any:
        api.services.clock.advance(
            time_budgets.EXPORT_PART / 4 if visit_id > "v00005" else time_budgets.EXPORT_PART
        )
        return await read(visit_id)

    monkeypatch.setattr(api.services.store, "transcript", slow)
    sizes = [files["manifest.json"]["counts"]["visits"] async for files in services_of(api)]
    assert sizes == [4, 2 + 1, *[1] * 5]
    assert await ids_of(api) == wanted


def test_the_timeout_of_the_api_is_at_least_twice_the_time_of_an_export_part() -> None:
    deployment = json.loads((ROOT / "infra" / "deployment.json").read_text())
    timeout = timedelta(seconds=deployment["functions"]["api"]["timeout_seconds"])
    assert timeout >= 2 * time_budgets.EXPORT_PART


@pytest.mark.parametrize("operation", ["transcript", "history", "actions"])
async def test_after_a_store_failure_the_next_export_part_continues_at_the_failed_visit(
    api: Api, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    wanted = await has_visits(api, 20)
    read, calls = getattr(api.services.store, operation), 0

    async def fails_periodically(visit_id: str) -> Any:
        nonlocal calls
        calls += 1
        if calls % 5 == 0:
            raise Transient(ErrorCode.INTERNAL_ERROR)
        return await read(visit_id)

    monkeypatch.setattr(api.services.store, operation, fails_periodically)
    assert await ids_of(api) == wanted
    assert calls < 30, "exported visits are not read again"


async def test_an_export_part_that_cannot_begin_is_503_with_a_code(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await has_visits(api, 2)

    async def away(visit_id: str) -> Any:
        raise Transient(ErrorCode.INTERNAL_ERROR)

    monkeypatch.setattr(api.services.store, "transcript", away)
    answer = await api.get(EXPORT)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


async def test_an_interrupted_export_part_cannot_be_opened_and_can_be_repeated(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "PART", 8)
    wanted = await has_visits(api, 20)
    read, broken = api.services.store.transcript, {"v00010"}

    async def bug_once(visit_id: str) -> Any:
        if visit_id in broken:
            broken.remove(visit_id)
            raise ZeroDivisionError
        return await read(visit_id)

    monkeypatch.setattr(api.services.store, "transcript", bug_once)
    assert await ids_of(api) == wanted
    assert broken == set()


async def test_an_export_cursor_of_another_user_gives_only_visits_of_the_caller(api: Api) -> None:
    await has_visits(api, 3)
    await stored(api.services, visit_of("user-2", "theirs", minutes=1))
    place = ListPosition(visit_of("user-2", "theirs", minutes=5).created_at, "theirs")
    files = opened((await api.get(EXPORT, params={"cursor": cursor_of(place)})).content)
    assert set(files) == {"manifest.json", "schema.json"} | {
        f"visits/v{n:05d}.json" for n in range(3)
    }
    assert (await api.get(EXPORT, params={"cursor": "1.x"})).status_code == 422


class ManyVisits:
    """A stub of the owner queries that makes visits on each read and stores none of them."""

    def __init__(self, count: int) -> None:
        self.count = count

    async def profile(self, user_id: str) -> Any:
        return await ApiMemoryServices().owner_queries.profile(user_id)

    async def visits(self, user_id: str, *, limit: int, after: ListPosition | None) -> Page[Visit]:
        first = int(after.id[1:]) + 1 if after else 0
        numbers = range(first, min(first + limit, self.count))
        return Page(tuple(completed(visit_of(user_id, f"v{n}", minutes=-n)) for n in numbers))


async def peak_of(count: int, file: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Export `count` visits to a file and return the peak memory in bytes."""
    services, words = ApiMemoryServices(), transcript([("A", f"Word {n}.") for n in range(10)])
    monkeypatch.setitem(vars(services), "owner_queries", ManyVisits(count))

    async def utterances(visit_id: str) -> Any:
        return words.utterances

    monkeypatch.setattr(services.store, "transcript", utterances)
    peak, visits, cursor = 0, 0, None
    while True:
        tracemalloc.start()
        with file.open("wb") as written:
            async for piece in export.part(services, "user-1", place_of_cursor(cursor)):
                written.write(piece)
        peak = max(peak, tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        with zipfile.ZipFile(file) as archive:
            manifest = json.loads(archive.read("manifest.json"))
        visits += manifest["counts"]["visits"]
        cursor = manifest["nextCursor"]
        if cursor is None:
            assert visits == count
            return peak


async def test_an_export_of_many_visits_needs_no_more_memory_than_one_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_part = await peak_of(export.PART, tmp_path / "part.zip", monkeypatch)
    all_parts = await peak_of(times(2_000, nightly=10_000), tmp_path / "part.zip", monkeypatch)
    assert all_parts < 1.1 * one_part
    assert all_parts < 8 * 1024**2, f"{all_parts / 1024**2:.1f} MiB"
