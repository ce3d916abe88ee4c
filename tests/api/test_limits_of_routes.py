"""A valid call takes a token from each bucket of its route; an invalid call takes no token."""

from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts

from lumimd.coordination.rate_limits import Limits
from lumimd.pipeline import accept
from lumimd.policies.pseudonyms import Pseudonyms
from lumimd.policies.token_bucket import UNITS
from lumimd.runtime.api import ApiCloudServices
from lumimd.runtime.settings import read
from tests.support.api import (
    Api,
    ApiMemoryServices,
    api_over,
    completed,
    failed,
    stored,
    transcribing,
    visit_of,
)
from tests.unit.runtime.test_settings import GOOD

EXPENSIVE, ON_DEMAND, WRITE = {"expensive"}, {"expensive", "on_demand"}, {"write"}

VISIT = {"consent": True}
BATCH = {"consent": True, "visits": [{}]}
ACTION = {"visitId": "done", "text": "Rest."}

NO_BODY: Sequence[Any] = ()
ROUTES: dict[tuple[str, str], tuple[set[str], Any, Sequence[Any]]] = {
    ("POST", "/v1/visits"): (EXPENSIVE, VISIT, ({}, {"consent": "yes"}, {**VISIT, "x": 1}, "[")),
    ("POST", "/v1/batches"): (
        EXPENSIVE,
        BATCH,
        ({"consent": True, "visits": []}, {**BATCH, "visits": [{}] * 101}, {"visits": [{}]}),
    ),
    ("PATCH", "/v1/visits/done"): (WRITE, {"title": "x"}, ({"title": 7}, {"consent": True})),
    ("DELETE", "/v1/visits/done"): (WRITE, None, NO_BODY),
    ("POST", "/v1/visits/failed/retry"): (EXPENSIVE, None, NO_BODY),
    ("POST", "/v1/visits/done/regenerate"): (ON_DEMAND, None, NO_BODY),
    ("POST", "/v1/visits/running/cancel"): (WRITE, None, NO_BODY),
    ("POST", "/v1/visits/running/consent"): (WRITE, None, NO_BODY),
    ("POST", "/v1/actions"): (WRITE, ACTION, ({}, {**ACTION, "text": ""})),
    ("PATCH", "/v1/actions/done-000"): (WRITE, {"completed": True}, ({"completed": "no"},)),
    ("DELETE", "/v1/actions/done-000"): (WRITE, None, NO_BODY),
    ("GET", "/v1/me/export"): (ON_DEMAND, None, NO_BODY),
    ("DELETE", "/v1/me"): (EXPENSIVE, None, NO_BODY),
}
"""Per route: the buckets of a call, a valid body and invalid bodies."""


class LimitedServices(ApiMemoryServices):
    """Services with the limits of the product, over the buckets of admission control."""

    @cached_property
    def limits(self) -> Limits:
        return Limits(self.gate.buckets, self.clock, self.new_id)

    async def taken(self) -> dict[str, float]:
        """Return the number of taken tokens per kind of bucket."""
        kept = await self.gate.buckets.all()
        found: dict[str, float] = {}
        for key, bucket in kept.items():
            what = key.partition("-")[0]
            found[what] = found.get(what, 0) + bucket.missing / UNITS
        return found


async def limited_api() -> tuple[Api, LimitedServices]:
    services = LimitedServices()
    visits = [
        completed(visit_of("user-1", "done")),
        failed(visit_of("user-1", "failed")),
        transcribing(visit_of("user-1", "running")),
    ]
    await stored(services, *visits)
    return api_over(services), services


def call_of(body: Any) -> dict[str, Any]:
    if isinstance(body, str):
        return {"content": body, "headers": {"Content-Type": "application/json"}}
    return {} if body is None else {"json": body}


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_a_valid_call_takes_one_token_per_bucket_and_an_invalid_call_takes_none(
    method: str, path: str
) -> None:
    buckets, valid, invalid = ROUTES[method, path]
    api, services = await limited_api()
    for body in invalid:
        answer = await api.call(method, path, **call_of(body))
        assert (answer.status_code, await services.taken()) == (422, {})
    answer = await api.call(method, path, **call_of(valid))
    assert answer.is_success
    assert await services.taken() == dict.fromkeys(buckets, 1.0)


def test_the_table_of_limits_has_every_route_that_changes_data() -> None:
    api = api_over(LimitedServices())
    routes = {
        (method, context.path)
        for context in iter_route_contexts(api.app.routes)
        for method in getattr(context.route, "methods", None) or ()
        if context.path and context.path.startswith("/v1/") and "/admin" not in context.path
    }
    changing = {route for route in routes if route[0] != "GET"}
    assert len(changing) == len({key for key in ROUTES if key[0] != "GET"})


async def test_users_at_their_limits_do_not_block_the_calls_of_other_users() -> None:
    api, _ = await limited_api()
    for stranger in range(15):
        for _ in range(10):
            await api.post("/v1/visits", f"stranger-{stranger}", json=VISIT)
            await api.get("/v1/me/export", f"stranger-{stranger}")
    assert (await api.post("/v1/visits", json=VISIT)).status_code == 201
    assert (await api.post("/v1/batches", json=BATCH)).status_code == 201
    assert (await api.post("/v1/visits/failed/retry")).status_code == 202
    assert (await api.call("DELETE", "/v1/me")).status_code == 202


async def test_exports_and_regenerations_share_one_limit_across_all_users() -> None:
    api, services = await limited_api()
    for stranger in range(10):
        for _ in range(10):
            assert (await api.get("/v1/me/export", f"stranger-{stranger}")).status_code == 200
    assert (await api.get("/v1/me/export")).status_code == 429
    assert (await api.post("/v1/visits/done/regenerate")).status_code == 429
    services.clock.advance(timedelta(seconds=1))
    assert (await api.get("/v1/me/export")).status_code == 200


async def test_deleting_the_account_does_not_reset_the_daily_quota_of_recordings() -> None:
    services = LimitedServices()
    services.gate.has_quota = True
    api = api_over(services)
    for round_ in range(4):
        for number in range(25):
            upload = services.upload(f"visit-{round_}-{number}")
            at = services.clock.now() + timedelta(milliseconds=1)
            services.clock.advance(timedelta(milliseconds=1))
            await accept.accept(services, upload.model_copy(update={"announced_at": at}))
        assert (await api.call("DELETE", "/v1/me")).status_code == 202
        services.clock.advance(timedelta(seconds=1))
    assert len(services.transcriber.orders) == 20


async def test_deleting_the_account_does_not_reset_the_rate_limit_of_the_minute() -> None:
    api, _ = await limited_api()
    answers = []
    for _ in range(4):
        for _ in range(5):
            answers.append((await api.post("/v1/visits", json=VISIT)).status_code)
        await api.call("DELETE", "/v1/me")
    assert answers.count(201) == 9, "ten in all, one of which was the first deletion"


async def test_a_deleted_account_leaves_only_a_pseudonym_in_the_rate_limit_buckets() -> None:
    api, services = await limited_api()
    await api.post("/v1/visits", json=VISIT)
    await api.call("PATCH", "/v1/visits/done", json={"title": "x"})
    await api.call("DELETE", "/v1/me")
    kept = await services.gate.buckets.all()
    assert {key.partition("-")[2] for key in kept} == {Pseudonyms().of("user-1")}
    assert all(bucket.expires_at for bucket in kept.values())


def test_bucket_keys_depend_on_the_secret_of_the_deployment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The pseudonym of a user is the key of the user's buckets in the API and in admission."""
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    services = ApiCloudServices(read())
    pseudonym = Pseudonyms(GOOD["WEBHOOK_SECRET"]).of("user-1")
    assert services.pseudonyms.of("user-1") == pseudonym != Pseudonyms().of("user-1")
    assert services.pseudonyms is services.pseudonyms
