"""The contract of `IdempotencyStore`: one suite for the memory adapter and for Firestore."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from lumimd.adapters.firestore.database import FirestoreDatabase
from lumimd.adapters.memory.database import MemoryDatabase
from lumimd.domain.commit import Conflict
from lumimd.stores.idempotency_store import Answer, IdempotencyStore
from tests.support.services import START


@pytest.fixture(params=["memory", pytest.param("firestore", marks=pytest.mark.emulator)])
async def store(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[IdempotencyStore]:
    if request.param == "memory":
        yield IdempotencyStore(MemoryDatabase())
        return
    from google.cloud import firestore

    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", request.getfixturevalue("firestore_host"))
    client = firestore.AsyncClient(project=f"demo-{uuid.uuid4().hex[:12]}")
    yield IdempotencyStore(FirestoreDatabase(lambda: client))
    client.close()


def answer(key: str = "k1", user_id: str = "u1", **fields: object) -> Answer:
    kept = Answer(
        key=key,
        user_id=user_id,
        fingerprint="f",
        until=START + timedelta(minutes=2),
        expires_at=START + timedelta(days=1),
        holder="first",
    )
    return kept.model_copy(update=fields)


async def test_get_returns_none_for_an_unknown_idempotency_key(store: IdempotencyStore) -> None:
    assert await store.get("k1") is None


async def test_a_stored_response_is_read_completely(store: IdempotencyStore) -> None:
    done = answer(status=201, body='{"visit": "Knie, 3 Wochen"}')
    version = await store.save(None, answer())
    await store.save(version, done)
    found = await store.get("k1")
    assert found is not None
    assert found[0] == done


async def test_exactly_one_of_several_concurrent_requests_gets_the_key(
    store: IdempotencyStore,
) -> None:
    saves = (store.save(None, answer(holder=f"h{n}")) for n in range(8))
    outcomes = await asyncio.gather(*saves, return_exceptions=True)
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 7
    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 1


async def test_exactly_one_of_several_concurrent_takeovers_of_a_key_succeeds(
    store: IdempotencyStore,
) -> None:
    version = await store.save(None, answer())
    saves = (store.save(version, answer(holder=f"h{n}")) for n in range(8))
    outcomes = await asyncio.gather(*saves, return_exceptions=True)
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 7


async def test_a_key_that_was_released_is_free_again(store: IdempotencyStore) -> None:
    version = await store.save(None, answer())
    await store.remove(version, answer())
    assert await store.get("k1") is None
    assert await store.save(None, answer())


async def test_only_the_holder_of_a_key_releases_it(store: IdempotencyStore) -> None:
    version = await store.save(None, answer())
    await store.save(version, answer(holder="another"))
    with pytest.raises(Conflict):
        await store.remove(version, answer())
    assert await store.get("k1") is not None


async def test_forget_deletes_the_stored_responses_of_one_user_only(
    store: IdempotencyStore,
) -> None:
    version = await store.save(None, answer("k1"))
    await store.save(None, answer("k2"))
    await store.save(None, answer("k3", "u2"))
    assert await store.forget("u1") == 2
    assert await store.get("k1") is None
    assert await store.get("k3") is not None
    assert await store.forget("u1") == 0
    # A request still in progress cannot store its response.
    with pytest.raises(Conflict):
        await store.save(version, answer("k1", status=201))


async def test_forget_deletes_only_the_stored_responses_that_name_the_given_id(
    store: IdempotencyStore,
) -> None:
    for name in ("k1", "k2"):
        body = f'{{"visitId": "visit-of-{name}"}}'
        await store.save(None, answer(name).model_copy(update={"status": 201, "body": body}))
    assert await store.forget("u1", naming="visit-of-k1") == 1
    assert await store.get("k1") is None
    assert await store.get("k2") is not None


async def test_forget_searches_all_stored_responses_of_a_user_page_by_page(
    store: IdempotencyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lumimd.stores.idempotency_store._BATCH", 2)
    for number in range(7):
        body = f'{{"visitId": "v{number % 2}"}}'
        await store.save(None, answer(f"k{number}").model_copy(update={"body": body}))
    assert await store.forget("u1", naming='"v0"') == 4
    assert await store.forget("u1") == 3
