"""Every route refuses an id that Firestore reserves before it reads the store."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts

from lumimd.domain.ids import is_id
from tests.api.test_authorization import EXPECTED, Expected
from tests.support.api import Api, ApiMemoryServices, api_over

RESERVED = ("__x__", "____", "__name__", "__id7__")

IN_BODIES = {
    ("POST", "/v1/visits"): {"consent": True, "batchId": "{id}"},
    ("POST", "/v1/actions"): {"visitId": "{id}", "text": "Rest."},
}
"""Routes that take document ids in the body."""


def _paged() -> list[str]:
    """Return the routes that take document ids in a cursor."""
    routes = iter_route_contexts(api_over(ApiMemoryServices()).app.routes)
    return [
        route.path
        for route in routes
        if route.path and "cursor" in str(getattr(route.route, "dependant", ""))
    ]


def _requests(reserved: str) -> Iterator[tuple[str, str, Any]]:
    for (method, path), expected in EXPECTED.items():
        if "{" in path:
            ids = {**dict.fromkeys(expected.ids, reserved), **_action_of(expected)}
            yield method, path.format_map(ids), expected.body
    for (method, path), body in IN_BODIES.items():
        filled = {name: reserved if value == "{id}" else value for name, value in body.items()}
        yield method, path, filled
    for path in PAGED:
        yield "GET", f"{path}?group=stuck&cursor={'1' * 16}.{reserved}", None


def _action_of(expected: Expected) -> dict[str, str]:
    """Return the `action` parameter of a queue or schedule route, which is a verb and not an id."""
    return {name: word for name, word in expected.ids.items() if name == "action"}


PAGED = _paged()


@pytest.mark.parametrize("reserved", RESERVED)
async def test_no_route_reads_the_store_for_a_reserved_id(
    reserved: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = api_over(ApiMemoryServices())
    asked: list[str] = []

    def watched(target: object, name: str) -> None:
        before = getattr(target, name)

        async def method(visit_id: str, *more: Any) -> Any:
            asked.append(visit_id)
            return await before(visit_id, *more)

        monkeypatch.setattr(target, name, method)

    watched(api.services.store, "get")
    watched(api.services.deletions, "get")
    watched(api.services.owner_queries, "action")
    for method, path, body in _requests(reserved):
        answer = await api.call(method, path, admin=True, json=body)
        assert answer.status_code in (404, 422), f"{method} {path}: {answer.status_code}"
    assert all(map(is_id, asked)), asked


def test_the_requests_with_reserved_ids_cover_paths_bodies_and_cursors() -> None:
    assert len(list(_requests("__x__"))) > 25
    assert {"/v1/visits", "/v1/actions", "/v1/admin/visits", "/v1/admin/audit"} <= set(PAGED)


async def test_ids_with_underscores_that_firestore_does_not_reserve_are_valid(api: Api) -> None:
    for name in ("_x", "__x", "x__", "__x_", "_"):
        answer = await api.get(f"/v1/visits/{name}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
