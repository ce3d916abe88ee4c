"""The routes of the caller's account: profile, usage, export and deletion."""

import io
import json
import zipfile
from datetime import timedelta
from typing import Any

import jsonschema
import pytest

from lumimd.api.export import PAGE
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Transient
from lumimd.pipeline.erase import erasure_of
from lumimd.policies.tiers import POLICIES, Limited
from lumimd.policies.token_bucket import Policy
from tests.support.api import (
    Api,
    ApiMemoryServices,
    action_of,
    api_over,
    completed,
    failed,
    stored,
    transcribing,
    visit_of,
)


async def test_me_returns_the_user_of_the_token(api: Api) -> None:
    me = (await api.get("/v1/me")).json()
    assert me == {"userId": "user-1", "isAdmin": False, "tier": "free", "preferences": None}
    assert (await api.get("/v1/me", "root", admin=True)).json()["isAdmin"] is True


async def test_usage_shows_used_and_remaining_calls_and_the_time_of_reset() -> None:
    api = api_over(ApiMemoryServices(policies=dict(POLICIES)))
    await stored(api.services, completed(visit_of("user-1", "v1")), visit_of("user-1", "v2"))
    await api.post("/v1/visits", json={"consent": True})
    usage = (await api.get("/v1/me/usage")).json()
    assert (usage["visits"], usage["audioSeconds"], usage["tier"]) == (3, 60.0, "free")
    assert usage["since"] == "2026-03-01T00:00:00Z"
    limits = {each["name"]: each for each in usage["limits"]}
    burst = POLICIES[Limited.EXPENSIVE][next(iter(POLICIES[Limited.EXPENSIVE]))].burst
    assert (limits["expensive"]["used"], limits["expensive"]["left"]) == (1, burst - 1)
    assert limits["expensive"]["resetsAt"] == "2026-03-01T09:00:06Z"


async def test_the_eleventh_expensive_call_of_a_minute_is_refused() -> None:
    api = api_over(ApiMemoryServices(policies=dict(POLICIES)))
    for _ in range(10):
        assert (await api.post("/v1/visits", json={"consent": True})).status_code == 201
    refused = await api.post("/v1/visits", json={"consent": True})
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert refused.headers["Retry-After"] == "6"
    assert (await api.get("/v1/visits")).status_code == 200
    assert (await api.post("/v1/visits", "user-2", json={"consent": True})).status_code == 201
    api.services.clock.advance(timedelta(seconds=6))
    assert (await api.post("/v1/visits", json={"consent": True})).status_code == 201


async def test_a_change_of_tier_applies_from_the_next_call() -> None:
    one, many = (Policy(n, timedelta(minutes=1), n) for n in (1, 100))
    free, paid = POLICIES[Limited.EXPENSIVE]
    policies = {**POLICIES, Limited.EXPENSIVE: {free: one, paid: many}}
    api = api_over(ApiMemoryServices(policies=policies))
    await api.post("/v1/visits", json={"consent": True})
    assert (await api.post("/v1/visits", json={"consent": True})).status_code == 429
    api.services.store.raw["users/user-1"] = {"tier": "paid"}
    assert (await api.post("/v1/visits", json={"consent": True})).status_code == 201


async def test_a_replayed_request_takes_no_token_of_the_rate_limit() -> None:
    api = api_over(ApiMemoryServices(policies=dict(POLICIES)))
    headers = {"Idempotency-Key": "the-same-for-all"}
    for _ in range(20):
        answer = await api.post("/v1/visits", json={"consent": True}, headers=headers)
        assert answer.status_code == 201


async def exported(api: Api, user: str = "user-1") -> dict[str, Any]:
    answer = await api.get("/v1/me/export", user)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        return {name: json.loads(archive.read(name)) for name in archive.namelist()}


async def test_an_export_of_fifty_visits_is_complete_and_fits_its_schema(api: Api) -> None:
    makers = (completed, failed, transcribing, lambda visit: visit)
    mine = [makers[n % 4](visit_of("user-1", f"v{n:02d}", minutes=n)) for n in range(50)]
    await stored(api.services, *mine, completed(visit_of("user-2", "theirs")))
    archive = await exported(api)

    schemas, manifest = archive.pop("schema.json"), archive.pop("manifest.json")
    jsonschema.validate(manifest, schemas["ExportManifest"])
    schema = jsonschema.Draft202012Validator(schemas["ExportedVisit"])
    for visit in archive.values():
        schema.validate(visit)
    assert not schema.is_valid({**visit, "visit": {}})
    assert set(archive) == {f"visits/v{n:02d}.json" for n in range(50)}

    kept = api.services.store.documents()
    theirs = {path for path, document in kept.items() if document.get("userId") == "user-2"}
    assert theirs

    def count(*services: str) -> int:
        return sum(all(part in path for part in services) and "theirs" not in path for path in kept)

    words = sum(
        len(document["utterances"])
        for path, document in kept.items()
        if "/transcript/" in path and "theirs" not in path
    )
    assert manifest["counts"] == {
        "visits": 50,
        "utterances": words,
        "historyEntries": count("visits/", "/history/"),
        "actions": count("actions/"),
    }
    assert manifest["counts"]["utterances"] > 0
    assert manifest["counts"]["actions"] == 13
    assert manifest["userId"] == "user-1"
    assert sum(len(visit["transcript"]) for visit in archive.values()) == words
    assert archive["visits/v00.json"]["ledger"] == {
        "audioSeconds": 60.0,
        "orders": 1,
        "summaries": 1,
        "summariesUnsettled": 0,
        "jobs": [],
    }


async def test_the_export_of_an_unknown_user_is_empty(api: Api) -> None:
    archive = await exported(api, "nobody")
    assert archive["manifest.json"]["counts"]["visits"] == 0


async def test_only_deletion_receipts_remain_of_a_deleted_user(api: Api) -> None:
    await stored(
        api.services,
        *(completed(visit_of("user-1", f"v{n}", minutes=n)) for n in range(60)),
        transcribing(visit_of("user-1", "running")),
        completed(visit_of("user-2", "theirs")),
    )
    api.services.store.raw["users/user-1"] = {"tier": "paid"}
    headers = {"Idempotency-Key": "a-key-of-user-1"}
    await api.post("/v1/visits", json={"consent": True, "title": "Knee"}, headers=headers)
    erased = await api.call("DELETE", "/v1/me")
    assert erased.status_code == 202
    assert len(erased.json()["deletedVisits"]) == 62
    assert (await api.get("/v1/visits")).json()["items"] == []
    assert not await api.services.idempotency.forget("user-1")
    left = {
        path.split("/")[0]
        for path, document in api.services.store.documents().items()
        if document.get("userId") == "user-1" and "/history/" not in path
    }
    # The sweep of each visit deletes its action items; the deletion receipt stays for the user.
    assert left <= {"deletions", "actions"}
    assert "users/user-1" not in api.services.store.raw
    assert len((await api.get("/v1/visits", "user-2")).json()["items"]) == 1


async def test_the_deletion_of_an_account_lists_visits_kept_for_legal_reasons(api: Api) -> None:
    await stored(
        api.services,
        completed(visit_of("user-1", "v1")),
        completed(visit_of("user-1", "held"), legal_hold=True),
    )
    erased = (await api.call("DELETE", "/v1/me")).json()
    assert erased == {
        "deletedVisits": ["v1"],
        "keptForLegalReasons": ["held"],
        "complete": True,
    }


async def test_action_items_of_a_deleted_account_are_deleted_with_their_visit(api: Api) -> None:
    await stored(api.services, completed(visit_of("user-1", "v1")))
    await api.services.owner_queries.add_action(action_of(visit_of("user-1", "v1"), 7))
    await api.call("DELETE", "/v1/me")
    await api.services.deletions.erase("v1")
    assert (await api.get("/v1/actions")).json()["items"] == []


async def test_an_export_of_more_than_one_page_has_all_visits(api: Api) -> None:
    await stored(
        api.services, *(visit_of("user-1", f"v{n}", minutes=n // 5) for n in range(2 * PAGE + 1))
    )
    archive = await exported(api)
    assert archive["manifest.json"]["counts"]["visits"] == 2 * PAGE + 1


@pytest.mark.parametrize("part", ["idempotency", "admission", "owner_queries"])
async def test_an_account_deletion_that_cannot_delete_a_users_documents_is_503(
    api: Api, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only this request deletes these documents, so it must fail if it cannot delete them."""

    async def down(user_id: str) -> None:
        raise Transient(ErrorCode.INTERNAL_ERROR)

    await stored(api.services, completed(visit_of("user-1", "v1")))
    with monkeypatch.context() as trouble:
        trouble.setattr(getattr(api.services, part), "forget", down)
        assert (await api.call("DELETE", "/v1/me")).status_code == 503
    assert await erasure_of(api.services, "user-1") is None
    assert (await api.call("DELETE", "/v1/me")).json()["deletedVisits"] == ["v1"]
