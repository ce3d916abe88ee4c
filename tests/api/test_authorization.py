"""Every kind of caller calls every route; a route without an expected status fails the test."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute, iter_route_contexts

from lumimd.pipeline import commands
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
from tests.support.operators import QUEUE, SCHEDULE

PUBLIC = {("GET", "/health")}

REFUSED = {
    "no token": "unauthenticated",
    "not a bearer": "unauthenticated",
    "forged": "unauthenticated",
    "wrong audience": "unauthenticated",
    "expired": "token_expired",
    "revoked": "token_revoked",
    "disabled": "account_disabled",
}
"""Callers that every route refuses, with the code that each caller receives."""


@dataclass(frozen=True)
class Expected:
    """The expected status per caller of a well-formed request about documents of the owner."""

    owner: int
    other: int
    admin: int
    ids: dict[str, str] = field(default_factory=dict)
    body: Any = None
    query: str = ""


def own(status: int, body: Any = None, **ids: str) -> Expected:
    """Expect `status` for the owner of the document and 404 for all others, operators included."""
    return Expected(status, 404, 404, ids, body)


def lists(status: int, body: Any = None) -> Expected:
    """Expect `status` for every caller, because each caller uses only their own documents."""
    return Expected(status, status, status, body=body)


def operators(status: int, body: Any = None, query: str = "", **ids: str) -> Expected:
    """Expect `status` for operators, who may use documents of any user, and 403 otherwise."""
    return Expected(403, 403, status, ids, body, query)


DONE, RUNNING, BROKEN = ({"visitId": each} for each in ("done", "running", "broken"))

WHY = {"reason": "a test of authorization"}

EXPECTED: dict[tuple[str, str], Expected] = {
    ("POST", "/v1/visits"): lists(201, {"consent": True}),
    ("GET", "/v1/visits"): lists(200),
    ("GET", "/v1/visits/{visitId}"): own(200, **DONE),
    ("PATCH", "/v1/visits/{visitId}"): own(200, {"title": "Knee"}, **DONE),
    ("DELETE", "/v1/visits/{visitId}"): own(202, **DONE),
    ("GET", "/v1/visits/{visitId}/status"): own(200, **DONE),
    ("GET", "/v1/visits/{visitId}/transcript"): own(200, **DONE),
    ("GET", "/v1/visits/{visitId}/history"): own(200, **DONE),
    ("GET", "/v1/visits/{visitId}/actions"): own(200, **DONE),
    ("POST", "/v1/visits/{visitId}/retry"): own(202, **BROKEN),
    ("POST", "/v1/visits/{visitId}/regenerate"): own(202, **DONE),
    ("POST", "/v1/visits/{visitId}/cancel"): own(200, **RUNNING),
    ("POST", "/v1/visits/{visitId}/consent"): own(200, **RUNNING),
    ("POST", "/v1/batches"): lists(201, {"consent": True, "visits": [{}]}),
    ("GET", "/v1/batches/{batchId}/status"): own(200, batchId="batch"),
    ("GET", "/v1/actions"): lists(200),
    ("POST", "/v1/actions"): own(201, {"visitId": "done", "text": "Rest."}),
    ("GET", "/v1/actions/{actionId}"): own(200, actionId="done-000"),
    ("PATCH", "/v1/actions/{actionId}"): own(200, {"completed": True}, actionId="done-000"),
    ("DELETE", "/v1/actions/{actionId}"): own(204, actionId="done-000"),
    ("GET", "/v1/medications"): lists(200),
    ("GET", "/v1/me"): lists(200),
    ("GET", "/v1/me/usage"): lists(200),
    ("GET", "/v1/me/export"): lists(200),
    ("DELETE", "/v1/me"): lists(202),
    ("GET", "/v1/deletions/{visitId}"): own(200, visitId="deleted"),
    **{
        (method, f"/v1/admin{path}"): expected
        for (method, path), expected in {
            ("GET", "/dead-letters"): operators(200),
            ("GET", "/dead-letters/statistics"): operators(200),
            ("POST", "/dead-letters/bulk-retry"): operators(200, {"limit": 1}),
            ("GET", "/dead-letters/{visitId}"): operators(200, **BROKEN),
            ("POST", "/dead-letters/{visitId}/retry"): operators(202, **BROKEN),
            ("POST", "/dead-letters/{visitId}/discard"): operators(200, WHY, **BROKEN),
            ("GET", "/visits"): operators(200),
            ("GET", "/visits/in-trouble"): operators(200, query="?group=stuck"),
            ("GET", "/visits/{visitId}"): operators(200, **DONE),
            ("GET", "/visits/{visitId}/timeline"): operators(200, **DONE),
            ("POST", "/visits/{visitId}/rerun"): operators(202, {"from": "summary"}, **DONE),
            ("POST", "/visits/{visitId}/legal-hold"): operators(200, {"held": True, **WHY}, **DONE),
            ("POST", "/after-restore"): operators(200, {"since": "2026-01-01T00:00:00Z"}),
            ("GET", "/queues"): operators(200),
            ("POST", "/queues/{name}/{action}"): operators(200, name=QUEUE, action="pause"),
            ("GET", "/schedules"): operators(200),
            ("POST", "/schedules/{name}/{action}"): operators(200, name=SCHEDULE, action="run"),
            ("GET", "/breakers"): operators(200),
            ("POST", "/breakers/{name}/reset"): operators(200, name="model"),
            ("GET", "/health"): operators(200),
            ("GET", "/statistics"): operators(200),
            ("GET", "/costs"): operators(200),
            ("GET", "/audit"): operators(200),
        }.items()
    },
}


async def world() -> Api:
    """Return the API with documents of the owner stored."""
    api = api_over(ApiMemoryServices())
    await stored(
        api.services,
        completed(visit_of("owner", "done", batch_id="batch")),
        transcribing(visit_of("owner", "running")),
        failed(visit_of("owner", "broken")),
        completed(visit_of("owner", "deleted")),
    )
    await commands.delete(api.services, "deleted")
    return api


def routes() -> Iterator[tuple[str, str]]:
    app = api_over(ApiMemoryServices()).app
    for each in iter_route_contexts(app.routes):
        if isinstance(each.route, APIRoute):
            yield from ((method, each.path) for method in each.methods)


OWNERS = sorted(set(routes()) - PUBLIC)
ONES_OWN = [each for each in OWNERS if EXPECTED[each].ids and EXPECTED[each].other == 404]


def token_of(api: Api, caller: str) -> str | None:
    tokens = api.services.tokens
    match caller:
        case "no token":
            return None
        case "not a bearer":
            return f"Basic {tokens.issue('owner')}"
        case "forged":
            return f"Bearer {tokens.issue('owner')[:-4]}AAAA"
        case "wrong audience":
            return f"Bearer {tokens.issue('owner', audience='another-project')}"
        case "expired":
            return f"Bearer {tokens.issue('owner', age=timedelta(hours=2))}"
        case "revoked":
            tokens.revoke("owner")
            return f"Bearer {tokens.issue('owner', age=timedelta(minutes=1))}"
        case "disabled":
            tokens.disable("owner")
            return f"Bearer {tokens.issue('owner')}"
        case _:
            return f"Bearer {tokens.issue(caller, admin=caller == 'admin')}"


async def response_to(api: Api, route: tuple[str, str], caller: str) -> httpx.Response:
    method, template = route
    expected = EXPECTED[route]
    token = token_of(api, caller)
    headers = {"Authorization": token} if token else {}
    path = template.format(**expected.ids) + expected.query
    return await api.http.request(method, path, headers=headers, json=expected.body)


def test_the_table_of_expected_statuses_has_exactly_the_existing_routes() -> None:
    assert set(routes()) == set(EXPECTED) | PUBLIC


@pytest.mark.parametrize("caller", ["owner", "other", "admin"])
@pytest.mark.parametrize("route", OWNERS, ids=" ".join)
async def test_allowed_callers_get_the_expected_status(route: tuple[str, str], caller: str) -> None:
    api = await world()
    answer = await response_to(api, route, caller)
    assert answer.status_code == getattr(EXPECTED[route], caller), answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("caller", REFUSED)
@pytest.mark.parametrize("route", OWNERS, ids=" ".join)
async def test_refused_callers_get_the_expected_code(route: tuple[str, str], caller: str) -> None:
    api = await world()
    before = api.services.store.documents()
    answer = await response_to(api, route, caller)
    assert answer.status_code == (403 if caller == "disabled" else 401)
    assert answer.json()["code"] == REFUSED[caller]
    assert api.services.store.documents() == before


@pytest.mark.parametrize("caller", ["other", "admin"])
@pytest.mark.parametrize(
    "route",
    [each for each in OWNERS if EXPECTED[each].ids and EXPECTED[each].owner < 400],
    ids=" ".join,
)
async def test_a_document_of_another_user_looks_like_a_missing_document(
    route: tuple[str, str], caller: str
) -> None:
    api = await world()
    before = api.services.store.documents()
    theirs = await response_to(api, route, caller)
    assert api.services.store.documents() == before
    method, template = route
    path = template.format(**dict.fromkeys(EXPECTED[route].ids, "nothing"))
    nothing = await api.http.request(
        method,
        path,
        headers={"Authorization": token_of(api, caller) or ""},
        json=EXPECTED[route].body,
    )
    assert (theirs.status_code, theirs.content) == (nothing.status_code, nothing.content)


async def test_an_invalid_body_without_a_token_is_401() -> None:
    api = await world()
    answer = await api.http.post("/v1/visits", content=b"{")
    assert answer.status_code == 401


@pytest.mark.parametrize("route", sorted(PUBLIC), ids=" ".join)
async def test_public_routes_need_no_token(route: tuple[str, str]) -> None:
    api = await world()
    assert (await api.http.request(*route)).status_code == 200
