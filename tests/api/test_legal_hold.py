"""A visit under legal hold can be read, but neither its owner nor an operator can change it."""

import pytest

from lumimd.domain.commit import Commit
from lumimd.domain.visit import Hold, Visit
from lumimd.pipeline import recover
from tests.support.api import (
    Api,
    ApiMemoryServices,
    action_of,
    commit_of,
    completed,
    stored,
    visit_of,
)
from tests.support.services import START

TEXT = {"text": "rewritten"}


async def held(api: Api, *, by_mark: bool = True, by_field: bool = True) -> Visit:
    """Store a visit under legal hold; after a restore of an earlier backup only the mark exists."""
    visit = completed(visit_of("user-1", "v1"), legal_hold=by_field)
    mark = Hold(visit_id="v1", user_id="user-1", held_at=START) if by_mark else None
    commit = commit_of(visit)
    await api.services.store.create(
        Commit(visit, commit.entries, commit.pages, actions=(action_of(visit),), hold=mark)
    )
    return visit


CHANGES = {
    ("PATCH", "/v1/visits/v1"): {"title": "rewritten"},
    ("DELETE", "/v1/visits/v1"): None,
    ("POST", "/v1/visits/v1/retry"): None,
    ("POST", "/v1/visits/v1/regenerate"): None,
    ("POST", "/v1/visits/v1/cancel"): None,
    ("PATCH", "/v1/actions/v1-000"): TEXT,
    ("DELETE", "/v1/actions/v1-000"): None,
    ("POST", "/v1/actions"): {**TEXT, "visitId": "v1"},
}


@pytest.mark.parametrize("change", CHANGES, ids=" ".join)
async def test_every_change_of_a_visit_under_legal_hold_is_refused_with_the_code_legal_hold(
    api: Api, change: tuple[str, str]
) -> None:
    await held(api)
    before = api.services.store.documents()
    answer = await api.call(*change, json=CHANGES[change])
    assert (answer.status_code, answer.json()["code"]) == (409, "legal_hold")
    assert api.services.store.documents() == before


@pytest.mark.parametrize("change", [each for each in CHANGES if "actions" in each[1]], ids=" ".join)
@pytest.mark.parametrize(("by_mark", "by_field"), [(True, False), (False, True)])
async def test_action_items_are_protected_by_the_legal_hold_mark_or_the_visits_field_alone(
    api: Api, change: tuple[str, str], by_mark: bool, by_field: bool
) -> None:
    await held(api, by_mark=by_mark, by_field=by_field)
    answer = await api.call(*change, json=CHANGES[change])
    assert (answer.status_code, answer.json()["code"]) == (409, "legal_hold")


@pytest.mark.parametrize("begin", ["summary", "submission"])
async def test_no_operator_can_rerun_a_visit_under_legal_hold(api: Api, begin: str) -> None:
    await held(api)
    answer = await api.post("/v1/admin/visits/v1/rerun", "op-1", admin=True, json={"from": begin})
    assert (answer.status_code, answer.json()["code"]) == (409, "legal_hold")


async def test_a_visit_under_legal_hold_can_be_read_and_exported(api: Api) -> None:
    await held(api)
    for path in ("/v1/visits/v1", "/v1/visits/v1/transcript", "/v1/me/export"):
        assert (await api.get(path)).status_code == 200


async def test_a_restored_visit_can_be_deleted_alone_and_with_the_account(api: Api) -> None:
    services: ApiMemoryServices = api.services
    await stored(services, *(completed(visit_of("user-1", f"v{n}", minutes=n)) for n in range(5)))
    backup = {path: dict(each) for path, each in services.store.raw.items()}
    assert (await api.call("DELETE", "/v1/visits/v2")).status_code == 202
    services.store.raw.update({path: each for path, each in backup.items() if "v2" in path})
    assert (await api.call("DELETE", "/v1/visits/v2")).status_code == 202
    services.store.raw.update({path: each for path, each in backup.items() if "v2" in path})
    erased = await api.call("DELETE", "/v1/me")
    assert erased.status_code == 202
    assert len(erased.json()["deletedVisits"]) == 5
    assert (await api.get("/v1/visits")).json()["items"] == []


async def test_restored_action_items_without_a_visit_are_deleted_with_the_account(api: Api) -> None:
    services: ApiMemoryServices = api.services
    visit = completed(visit_of("user-1", "v1"))
    for number in range(60):
        await services.owner_queries.add_action(action_of(visit, number))
    assert (await api.call("DELETE", "/v1/me")).status_code == 202

    await recover.wake_due(services)
    assert (await api.get("/v1/actions")).json()["items"] == []
