"""Paying users and operators may create urgent visits within a limit; others are refused."""

from collections.abc import AsyncIterator

import httpx
import pytest

from lumimd.domain.client_access import NewVisit, VisitChange
from lumimd.policies.tiers import POLICIES, Limited, Tier
from tests.support.api import Api, ApiMemoryServices, api_over

URGENT = {"consent": True, "urgent": True}


@pytest.fixture
async def limited() -> AsyncIterator[Api]:
    """Yield the API with the limits of the product for urgent visits."""
    services = ApiMemoryServices()
    services.policies = {**services.policies, Limited.URGENT: dict(POLICIES[Limited.URGENT])}
    api = api_over(services)
    services.store.raw["users/payer"] = {"tier": "paid"}
    async with api.http:
        yield api


async def stored_as_urgent(api: Api, answer: httpx.Response) -> bool:
    assert answer.status_code == 201
    stored = await api.services.store.get(answer.json()["visit"]["visitId"])
    assert stored is not None
    assert answer.json()["visit"]["urgent"] is stored.visit.urgent
    return stored.visit.urgent


async def test_a_paying_user_and_an_operator_create_urgent_visits(limited: Api) -> None:
    assert await stored_as_urgent(limited, await limited.post("/v1/visits", "payer", json=URGENT))
    answer = await limited.post("/v1/visits", "op-1", admin=True, json=URGENT)
    assert await stored_as_urgent(limited, answer)


@pytest.mark.parametrize("body", [{"consent": True}, {"consent": True, "urgent": False}])
async def test_a_visit_is_urgent_only_on_request(limited: Api, body: dict) -> None:
    answer = await limited.post("/v1/visits", "payer", json=body)
    assert not await stored_as_urgent(limited, answer)


async def test_an_urgent_visit_of_a_free_user_is_refused_and_not_created(limited: Api) -> None:
    answer = await limited.post("/v1/visits", json=URGENT)
    assert (answer.status_code, answer.json()["code"]) == (403, "urgent_not_included")
    assert limited.services.store.raw.under("visits") == []
    assert (await limited.post("/v1/visits", json={"consent": True})).status_code == 201


async def test_the_limit_of_urgent_visits_does_not_affect_ordinary_visits(limited: Api) -> None:
    most = POLICIES[Limited.URGENT][Tier.PAID].burst
    for _ in range(most):
        assert (await limited.post("/v1/visits", "payer", json=URGENT)).status_code == 201
    answer = await limited.post("/v1/visits", "payer", json=URGENT)
    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
    assert int(answer.headers["Retry-After"]) > 60
    assert (await limited.post("/v1/visits", "payer", json={"consent": True})).status_code == 201
    for _ in range(most + 1):
        answer = await limited.post("/v1/visits", "op-1", admin=True, json=URGENT)
        assert answer.status_code == 201


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/batches", {"consent": True, "urgent": True, "visits": [{}]}),
        ("POST", "/v1/batches", {"consent": True, "visits": [{"urgent": True}]}),
        ("PATCH", "/v1/visits/v1", {"urgent": True}),
    ],
)
async def test_only_the_creation_of_a_single_visit_accepts_the_field_urgent(
    limited: Api, method: str, path: str, body: dict
) -> None:
    made = await limited.post("/v1/visits", "payer", json={"consent": True})
    path = path.replace("v1/visits/v1", f"v1/visits/{made.json()['visit']['visitId']}")
    assert (await limited.call(method, path, "payer", json=body)).status_code == 422


def test_clients_that_write_to_firestore_cannot_make_a_visit_urgent() -> None:
    assert "urgent" not in NewVisit.model_fields
    assert "urgent" not in VisitChange.__annotations__


async def test_a_repeated_creation_counts_as_one_urgent_visit(limited: Api) -> None:
    most = POLICIES[Limited.URGENT][Tier.PAID].burst
    headers = {"Idempotency-Key": "the-same-key"}
    for _ in range(most + 2):
        answer = await limited.post("/v1/visits", "payer", json=URGENT, headers=headers)
        assert answer.status_code == 201
        await limited.services.idempotency.forget("payer")  # as if the stored response were lost
    assert (await limited.post("/v1/visits", "payer", json=URGENT)).status_code == 201
