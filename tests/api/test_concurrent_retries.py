"""Of a hundred concurrent retries one succeeds, and each other retry is refused with a reason."""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from lumimd.adapters.firestore.database import FirestoreDatabase
from lumimd.stores.visit_store import VisitStore
from tests.support.api import Api, ApiMemoryServices, api_over, failed, stored, visit_of

CLICKS = 100


@pytest.fixture(params=["memory", pytest.param("firestore", marks=pytest.mark.emulator)])
async def api(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Api]:
    services = ApiMemoryServices()
    if request.param == "memory":
        yield api_over(services)
        return
    from google.cloud import firestore

    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", request.getfixturevalue("firestore_host"))
    client = firestore.AsyncClient(project=f"demo-{uuid.uuid4().hex[:12]}")
    assert services.owner_queries  # the profiles stay in memory
    services.store = VisitStore(FirestoreDatabase(lambda: client))  # type: ignore[assignment]
    yield api_over(services)
    client.close()


async def test_exactly_one_of_a_hundred_concurrent_retries_is_accepted(api: Api) -> None:
    await stored(api.services, failed(visit_of("user-1", "v1")))
    answers = await asyncio.gather(*(api.post("/v1/visits/v1/retry") for _ in range(CLICKS)))
    codes = Counter(
        "accepted" if answer.status_code == 202 else answer.json()["code"] for answer in answers
    )
    print(f"\n{CLICKS} retries at once: {dict(codes)}")
    assert codes["accepted"] == 1
    assert codes["accepted"] + codes["still_processing"] + codes["retry_too_soon"] == CLICKS
    for answer in answers:
        if answer.status_code == 429:
            assert int(answer.headers["Retry-After"]) == answer.json()["retryAfterSeconds"] >= 1
    (accepted,) = (answer for answer in answers if answer.status_code == 202)
    assert accepted.json()["attempt"] == 2
    kept = await api.services.store.get("v1")
    assert kept is not None
    assert (kept.visit.attempt, kept.visit.retry_count) == (2, 1)


async def test_a_visit_that_fails_right_after_a_retry_is_not_retried_within_thirty_seconds(
    api: Api,
) -> None:
    await stored(
        api.services, failed(visit_of("user-1", "v1"), last_retry_at=api.services.clock.now())
    )
    answers = await asyncio.gather(*(api.post("/v1/visits/v1/retry") for _ in range(CLICKS)))
    assert {answer.status_code for answer in answers} == {429}
    assert {answer.headers["Retry-After"] for answer in answers} == {"30"}
