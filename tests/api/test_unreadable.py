"""An owner with one unreadable document gets a clear error for it and can use all the others."""

import io
import json
import zipfile
from datetime import timedelta
from typing import Any

import pytest

from lumimd.pipeline.recover import wake_due
from lumimd.policies.deletion import SWEEP_AGAIN_AFTER
from lumimd.telemetry import logs
from tests.support.api import Api, action_of, completed, visit_of

NEWER = {"currentStep": "of_a_newer_release"}


@pytest.fixture
def visits(api: Api) -> Api:
    """Store three visits with an action item each; the middle visit and its item are unreadable."""
    for minutes, name in enumerate(("old", "bad", "new")):
        visit = completed(visit_of("user-1", name, minutes=minutes))
        action = action_of(visit).to_stored()
        api.services.store.raw[f"visits/{name}"] = visit.to_stored()
        api.services.store.raw[f"actions/{name}-000"] = action
    damage(api, "visits/bad", **NEWER)
    damage(api, "actions/bad-000", evidence=7)
    return api


def damage(api: Api, path: str, **fields: Any) -> None:
    raw = api.services.store.raw
    raw[path] = {**raw[path], **fields}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/visits/bad"),
        ("GET", "/visits/bad/status"),
        ("GET", "/visits/bad/transcript"),
        ("DELETE", "/visits/bad"),
        ("POST", "/visits/bad/retry"),
        ("GET", "/actions/bad-000"),
    ],
)
async def test_an_unreadable_document_is_a_503_with_a_code(
    visits: Api, method: str, path: str
) -> None:
    answer = await visits.call(method, f"/v1{path}")
    assert answer.status_code == 503
    assert answer.json()["code"] == "document_unreadable"
    assert answer.headers["Retry-After"]


async def test_lists_skip_unreadable_documents_page_by_page(visits: Api) -> None:
    for path, key, shown in (
        ("/visits", "visitId", ["new", "old"]),
        ("/actions", "actionId", ["new-000", "old-000"]),
    ):
        found: list[str] = []
        cursor = ""
        while cursor is not None:
            more = f"&cursor={cursor}" if cursor else ""
            page = (await visits.get(f"/v1{path}?limit=1{more}")).json()
            found += [item[key] for item in page["items"]]
            cursor = page["nextCursor"]
        assert found == shown


async def test_an_export_has_the_readable_visits_and_lists_the_ids_of_unreadable_visits(
    visits: Api,
) -> None:
    content = (await visits.get("/v1/me/export")).content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        assert {"visits/new.json", "visits/old.json"} <= set(archive.namelist())
    assert manifest["unreadableVisits"] == ["bad"]
    assert manifest["counts"]["visits"] == 2


async def test_an_account_deletion_deletes_an_unreadable_visit_once_it_is_readable(
    visits: Api,
) -> None:
    visits.services.clock.advance(timedelta(hours=1))
    answer = await visits.call("DELETE", "/v1/me")
    assert answer.status_code == 202
    assert answer.json()["complete"] is False
    assert sorted(answer.json()["deletedVisits"]) == ["new", "old"]
    raw, clock = visits.services.store.raw, visits.services.clock
    assert [path for path, _ in raw.under("visits")] == ["visits/bad"]
    clock.advance(SWEEP_AGAIN_AFTER)
    await wake_due(visits.services)
    assert [path for path, _ in raw.under("visits")] == ["visits/bad"]
    damage(visits, "visits/bad", currentStep="completed")
    clock.advance(SWEEP_AGAIN_AFTER)
    await wake_due(visits.services)
    assert raw.under("visits") == []


async def test_no_log_line_names_the_user_of_an_unreadable_document(visits: Api) -> None:
    user_id = "erika@example.com"
    raw = visits.services.store.raw
    raw[f"users/{user_id}"] = {"tier": 7}
    logs.configure(to=(written := io.StringIO()))
    await visits.get("/v1/me", user_id)
    raw[f"deletions/~{user_id}"] = {"userId": user_id}
    await visits.call("DELETE", "/v1/me", user_id)
    logs.configure()
    assert written.getvalue().count("document_unreadable") >= 2
    assert user_id not in written.getvalue()
