"""The operators' routes: authorization, responses and entries in the audit log."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from infra.local.stack import ROOT
from lumimd.api import admin
from lumimd.api.admin_letters import ManyRetries
from lumimd.api.admin_routing import _PROBLEMS
from lumimd.api.application import make_app
from lumimd.domain.codes import OperatorCode
from lumimd.domain.dead_letter import LetterState
from lumimd.domain.visit import ProcessingStatus
from lumimd.pipeline import commands
from lumimd.policies.breaker import Breaker, State
from lumimd.policies.time_budgets import BULK_RETRY_REQUEST
from lumimd.stores.operator_store import AuditFilter
from tests.support.api import Api, ApiMemoryServices, client_of
from tests.support.operators import CANARY, QUEUE, SCHEDULE, OperatedServices

DEPLOYMENT = json.loads((ROOT / "infra" / "deployment.json").read_text())
ROUTES = [route for router in admin.ROUTERS for route in router.routes]


@dataclass
class AdminServices(OperatedServices, ApiMemoryServices):
    """In-memory services with everything that the operators' routes need."""


@cache
def _app() -> FastAPI:
    return make_app(AdminServices)


@pytest.fixture
def services() -> AdminServices:
    return AdminServices()


@pytest.fixture
async def api(services: AdminServices) -> AsyncIterator[Api]:
    app = _app()
    app.state.services = lambda: services
    api = Api(services, app, client_of(app))
    async with api.http:
        yield api


async def body_of(api: Api, method: str, path: str, **options: object) -> Any:
    """Call a route as the operator olga, expect a success, and return the response body."""
    answer = await api.call(method, f"/v1/admin{path}", "olga", admin=True, **options)
    assert answer.is_success, answer.text
    return answer.json()


async def code_of(api: Api, method: str, path: str, **options: object) -> tuple[int, str]:
    answer = await api.call(method, f"/v1/admin{path}", "olga", admin=True, **options)
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
async def test_every_operator_route_refuses_callers_who_are_not_operators(
    route: APIRoute, api: Api
) -> None:
    path = route.path.format(visitId="v1", name="model", action="pause")
    (method,) = route.methods
    before = api.services.store.documents()
    for user, status in ((None, 401), ("user-1", 403)):
        answer = await api.call(method, path, user)
        assert answer.status_code == status, answer.text
    assert api.services.store.documents() == before


def test_every_operator_refusal_code_has_a_problem_response() -> None:
    assert set(_PROBLEMS) == set(OperatorCode)


async def test_dead_letters_are_listed_in_pages_and_filtered(
    api: Api, services: AdminServices
) -> None:
    for number in range(3):
        await services.partial(f"v{number}")
        services.clock.advance(timedelta(minutes=1))
    await services.unreadable("noise")
    first = await body_of(api, "GET", "/dead-letters?limit=2")
    assert [letter["visitId"] for letter in first["items"]] == ["noise", "v2"]
    rest = await body_of(api, "GET", f"/dead-letters?limit=2&cursor={first['nextCursor']}")
    assert [letter["visitId"] for letter in rest["items"]] == ["v1", "v0"]
    assert rest["nextCursor"] is None
    found = await body_of(api, "GET", "/dead-letters?code=audio_unreadable&stage=submission")
    assert [letter["visitId"] for letter in found["items"]] == ["noise"]
    assert (await body_of(api, "GET", "/dead-letters/noise"))["code"] == "audio_unreadable"
    assert await code_of(api, "GET", "/dead-letters/nobody") == (404, "not_found")


async def test_a_dead_letter_is_retried_or_discarded_once(
    api: Api, services: AdminServices
) -> None:
    await services.partial("v1")
    await services.unreadable("v2")
    retried = await body_of(api, "POST", "/dead-letters/v1/retry")
    assert (retried["attempt"], retried["processingStatus"]) == (2, "summarizing")
    assert await code_of(api, "POST", "/dead-letters/v1/retry") == (409, "still_processing")
    body = {"reason": "only noise"}
    letter = await body_of(api, "POST", "/dead-letters/v2/discard", json=body)
    assert (letter["state"], letter["discardReason"], letter["discardedBy"]) == (
        "discarded",
        "only noise",
        "olga",
    )
    assert await code_of(api, "POST", "/dead-letters/v2/discard", json=body) == (
        409,
        "changed_meanwhile",
    )
    assert await code_of(api, "POST", "/dead-letters/v2/discard", json={"reason": ""}) == (
        422,
        "invalid_request",
    )
    assert len(services.transcriber.orders) == 1


async def test_a_bulk_retry_returns_counts_of_retried_and_refused_dead_letters(
    api: Api, services: AdminServices
) -> None:
    await services.partial("v1")
    await services.unreadable("v2")
    body = {"perMinute": 6000}
    summary = await body_of(api, "POST", "/dead-letters/bulk-retry", json=body)
    assert (summary["retried"], summary["refused"]) == (1, 1)
    assert summary["codes"] == {"nothing_to_retry": 1}
    assert len(services.transcriber.orders) == 1


@given(st.integers(1, 1000), st.integers(1, 6000))
@example(1000, 667)
@example(1000, 1498)
@example(1000, 1499)
@example(1, 1)
def test_a_bulk_retry_is_accepted_only_if_it_fits_one_request(limit: int, per_minute: int) -> None:
    """The last retry must begin so early that the response comes before the platform's timeout."""
    body = {"limit": limit, "perMinute": per_minute}
    last_begins_s = (limit - 1) * 60 / per_minute
    if last_begins_s < BULK_RETRY_REQUEST.total_seconds():
        assert ManyRetries.model_validate(body)
    else:
        with pytest.raises(ValidationError):
            ManyRetries.model_validate(body)


def test_a_bulk_retry_request_ends_15_seconds_before_the_timeout_of_the_api() -> None:
    timeout = timedelta(seconds=DEPLOYMENT["functions"]["api"]["timeout_seconds"])
    assert BULK_RETRY_REQUEST + timedelta(seconds=15) <= timeout


async def test_a_bulk_retry_too_large_for_one_request_is_refused_and_changes_nothing(
    api: Api, services: AdminServices
) -> None:
    await services.partial("v1")
    body = {"limit": 1000, "perMinute": 667}
    refused = await code_of(api, "POST", "/dead-letters/bulk-retry", json=body)
    assert refused == (422, "invalid_request")
    assert len((await body_of(api, "GET", "/dead-letters"))["items"]) == 1


async def test_a_bulk_retry_that_runs_out_of_time_returns_how_many_are_left(
    api: Api, services: AdminServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    await services.partial("v1")
    await services.partial("v2")
    letters = services.operators.letters

    async def slow(*wanted: Any) -> Any:
        services.clock.advance(BULK_RETRY_REQUEST)
        return await letters(*wanted)

    monkeypatch.setattr(services.operators, "letters", slow)
    summary = await body_of(api, "POST", "/dead-letters/bulk-retry", json={"perMinute": 6000})
    assert (summary["chosen"], summary["retried"], summary["left"]) == (2, 0, 2)


async def test_the_routes_for_failures_statistics_and_costs_return_counts(
    api: Api, services: AdminServices
) -> None:
    await services.completed("good")
    await services.partial("bad")
    failed = await body_of(api, "GET", "/dead-letters/statistics")
    assert (failed["total"], failed["byStage"]) == (1, {"summary": 1})
    figures = await body_of(api, "GET", "/statistics")
    assert (figures["successRate"], figures["completed"]) == (0.5, 1)
    assert (await body_of(api, "GET", "/costs"))["orders"] == 2


async def test_each_read_of_a_visit_is_in_the_audit_log(api: Api, services: AdminServices) -> None:
    await services.completed("v1")
    visit = await body_of(api, "GET", "/visits/v1")
    assert visit["summary"]
    found = await body_of(api, "GET", "/visits/v1/timeline")
    assert [run["stage"] for run in found["runs"]] == ["submission", "transcription", "summary"]
    assert await code_of(api, "GET", "/visits/nobody") == (404, "not_found")
    assert await code_of(api, "GET", "/visits/nobody/timeline") == (404, "not_found")
    for target in ("v1", "nobody"):
        entries = await services.operators.audit(AuditFilter("olga", target), 10)
        assert sorted(entry.action for entry in entries) == ["read_timeline", "read_visit"]


async def test_lists_of_visits_contain_no_text_of_a_visit(
    api: Api, services: AdminServices
) -> None:
    await services.partial("v1")
    await services.submitted("v2")
    await commands.change(services, "v1", title=CANARY, tags=(CANARY,))
    services.clock.advance(timedelta(hours=1))
    for path, wanted in (
        ("/visits", {"v1", "v2"}),
        ("/visits?processingStatus=failed", {"v1"}),
        ("/visits?userId=user-1", {"v1", "v2"}),
        ("/visits/in-trouble?group=stuck", {"v2"}),
        ("/visits/in-trouble?group=much_retried", set()),
    ):
        found = await body_of(api, "GET", path)
        assert {visit["visitId"] for visit in found["items"]} == wanted
        assert CANARY not in str(found)


async def test_the_rerun_route_starts_a_visit_at_the_chosen_step(
    api: Api, services: AdminServices
) -> None:
    await services.completed("v1")
    again = await body_of(api, "POST", "/visits/v1/rerun", json={"from": "summary"})
    assert again["processingStatus"] == ProcessingStatus.SUMMARIZING
    refused = await code_of(api, "POST", "/visits/v1/rerun", json={"from": "submission"})
    assert refused == (409, "still_processing")


async def test_a_visit_under_legal_hold_cannot_be_deleted_until_it_is_released(
    api: Api, services: AdminServices
) -> None:
    await services.completed("v1")
    body = {"held": True, "reason": "case 17"}
    assert (await body_of(api, "POST", "/visits/v1/legal-hold", json=body))["legalHold"]
    assert (await api.call("DELETE", "/v1/visits/v1")).json()["code"] == "legal_hold"
    released = {"held": False, "reason": "case 17 is closed"}
    assert not (await body_of(api, "POST", "/visits/v1/legal-hold", json=released))["legalHold"]
    reasons = [entry.reason for entry in await services.operators.audit(AuditFilter(), 10)]
    assert sorted(filter(None, reasons)) == ["case 17", "case 17 is closed"]


async def test_operators_can_change_queues_schedules_and_breakers(
    api: Api, services: AdminServices
) -> None:
    await services.breakers.save("breaker-model", None, Breaker(name="model", state=State.OPEN))
    assert (await body_of(api, "POST", f"/queues/{QUEUE}/pause"))["state"] == "paused"
    assert (await body_of(api, "GET", "/queues"))["queues"][0]["state"] == "paused"
    assert (await body_of(api, "POST", f"/queues/{QUEUE}/resume"))["state"] == "running"
    assert await code_of(api, "POST", "/queues/nothing/pause") == (404, "not_found")
    await body_of(api, "POST", f"/schedules/{SCHEDULE}/run")
    assert services.schedules.runs == [SCHEDULE]
    assert (await body_of(api, "POST", f"/schedules/{SCHEDULE}/pause"))["state"] == "paused"
    assert (await body_of(api, "GET", "/schedules"))["schedules"][0]["state"] == "paused"
    assert await code_of(api, "POST", "/schedules/nothing/run") == (404, "not_found")
    breakers = (await body_of(api, "GET", "/breakers"))["breakers"]
    assert [each["name"] for each in breakers if each["state"] == "open"] == ["model"]
    assert (await body_of(api, "POST", "/breakers/model/reset"))["state"] == "closed"
    assert await code_of(api, "POST", "/breakers/toaster/reset") == (404, "not_found")


async def test_health_reports_only_the_failing_dependency(
    api: Api, services: AdminServices
) -> None:
    assert (await body_of(api, "GET", "/health"))["ok"]
    await services.queues.pause(QUEUE)
    found = await body_of(api, "GET", "/health")
    assert not found["ok"]
    assert [each["name"] for each in found["dependencies"] if not each["ok"]] == ["queues"]


async def test_every_change_is_in_the_audit_log_with_its_operator(
    api: Api, services: AdminServices
) -> None:
    await services.partial("v1")
    await services.unreadable("v2")
    await body_of(api, "POST", "/dead-letters/v1/retry")
    await body_of(api, "POST", "/dead-letters/v2/discard", json={"reason": "only noise"})
    await body_of(api, "POST", f"/queues/{QUEUE}/pause")
    log = await body_of(api, "GET", "/audit?limit=2")
    rest = await body_of(api, "GET", f"/audit?limit=2&cursor={log['nextCursor']}")
    entries = [*log["items"], *rest["items"]]
    assert sorted((entry["actor"], entry["action"], entry["outcome"]) for entry in entries) == [
        ("olga", "discard", "done"),
        ("olga", "pause_queue", "done"),
        ("olga", "retry", "done"),
    ]
    (of_v2,) = (await body_of(api, "GET", "/audit?target=v2"))["items"]
    assert of_v2["after"] == {"state": LetterState.DISCARDED}


async def test_every_response_of_the_operator_routes_is_documented() -> None:
    document = _app().openapi()
    for route in ROUTES:
        assert isinstance(route, APIRoute)
        (method,) = route.methods
        responses = document["paths"][route.path][method.lower()]["responses"]
        assert {"401", "403", "500", "503"} <= set(responses), route.path
        success = next(status for status in responses if status.startswith("2"))
        assert "$ref" in str(responses[success]["content"]["application/json"]["schema"])
