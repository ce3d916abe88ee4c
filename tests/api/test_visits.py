"""The owner creates, lists, reads and changes visits."""

import pytest

from lumimd.domain.audio import recording_of
from lumimd.domain.visit import Status
from tests.support.api import (
    Api,
    completed,
    failed,
    stored,
    transcribed,
    transcribing,
    visit_of,
)
from tests.support.services import DIALOGUE

NEW = {"title": "Knee", "consent": True}


async def test_a_created_visit_has_an_upload_path(api: Api) -> None:
    answer = await api.post("/v1/visits", json=NEW)
    assert answer.status_code == 201
    visit, upload = answer.json()["visit"], answer.json()["upload"]
    assert visit["status"] == "processing"
    assert visit["group"] == "processing"
    assert recording_of(upload["path"]) == ("user-1", visit["visitId"])
    assert upload["bucket"] == "recordings"
    kept = await api.services.store.get(visit["visitId"])
    assert kept is not None
    assert kept.visit.title == "Knee"
    assert kept.visit.consent is not None


async def test_a_visit_created_without_consent_can_receive_consent_later(api: Api) -> None:
    answer = await api.post("/v1/visits", json={"consent": False})
    visit_id = answer.json()["visit"]["visitId"]
    kept = await api.services.store.get(visit_id)
    assert kept is not None
    assert kept.visit.consent is None
    given = await api.post(f"/v1/visits/{visit_id}/consent")
    assert given.status_code == 200
    assert (await api.get(f"/v1/visits/{visit_id}")).json()["consent"] is not None


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"consent": "yes"},
        {"consent": True, "title": 5},
        {"consent": True, "title": "x" * 201},
        {"consent": True, "tags": ["x"] * 11},
        {"consent": True, "tags": ["x" * 51]},
        {"consent": True, "tags": [""]},
        {"consent": True, "contentType": "text/html"},
        {"consent": True, "userId": "somebody-else"},
        {"consent": True, "status": "completed"},
        {"consent": True, "batchId": "../../users"},
        [],
        "visit",
    ],
)
async def test_an_invalid_visit_is_refused_with_field_and_rule(api: Api, body: object) -> None:
    answer = await api.post("/v1/visits", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "invalid_request"
    assert all(fault["where"].startswith("body") for fault in answer.json()["faults"])


async def test_each_group_lists_its_visits_newest_first(api: Api) -> None:
    await stored(
        api.services,
        visit_of("user-1", "waiting", minutes=0),
        transcribing(visit_of("user-1", "running", minutes=1)),
        completed(visit_of("user-1", "done", minutes=2)),
        failed(visit_of("user-1", "broken", minutes=3)),
        failed(visit_of("user-1", "half", minutes=4), status=Status.PARTIAL),
        completed(visit_of("user-1", "old", minutes=5), archived=True),
        completed(visit_of("user-2", "theirs", minutes=6)),
    )

    async def listed(query: str) -> list[str]:
        answer = await api.get(f"/v1/visits{query}")
        assert answer.status_code == 200
        return [item["visitId"] for item in answer.json()["items"]]

    assert await listed("?group=processing") == ["running", "waiting"]
    assert await listed("?group=ready") == ["done"]
    assert await listed("?group=needs_attention") == ["half", "broken"]
    assert await listed("?group=archived") == ["old"]
    shown = ["half", "broken", "done", "running", "waiting"]
    assert await listed("") == shown
    assert await listed("?includeArchived=false") == shown
    assert await listed("?includeArchived=true") == ["old", *shown]
    assert await listed("?group=ready&includeArchived=true") == ["done"]


async def test_the_pages_of_the_list_contain_every_visit_once(api: Api) -> None:
    # Several visits have the same instant, so that the id decides their order.
    await stored(
        api.services,
        *(visit_of("user-1", f"v{number}", minutes=number // 3) for number in range(7)),
    )
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await api.get(f"/v1/visits?limit=2{cursor}")).json()
        seen += [item["visitId"] for item in page["items"]]
        if page["nextCursor"] is None:
            break
        cursor = f"&cursor={page['nextCursor']}"
    assert seen == [f"v{number}" for number in reversed(range(7))]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "cursor=!", "cursor=1.v", "group=mine"]
)
async def test_an_invalid_list_query_is_refused(api: Api, query: str) -> None:
    answer = await api.get(f"/v1/visits?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize(
    ("make", "status"),
    [
        (visit_of, 202),
        (lambda *ids: transcribing(visit_of(*ids)), 202),
        (lambda *ids: transcribed(visit_of(*ids)), 202),
        (lambda *ids: completed(visit_of(*ids)), 200),
        (lambda *ids: failed(visit_of(*ids)), 200),
    ],
)
async def test_reading_a_visit_returns_202_while_it_is_processed_and_200_after_its_end(
    api: Api, make: object, status: int
) -> None:
    await stored(api.services, make("user-1", "v1"))  # type: ignore[operator]
    answer = await api.get("/v1/visits/v1")
    assert answer.status_code == status
    assert answer.json()["visitId"] == "v1"


async def test_a_failed_visit_shows_its_error_code(api: Api) -> None:
    await stored(api.services, failed(visit_of("user-1", "v1")))
    error = (await api.get("/v1/visits/v1")).json()["processingError"]
    assert error["code"] == "transcription_failed"
    assert error["retryable"] is True


async def test_a_visit_shows_its_summary_and_no_internal_field(api: Api) -> None:
    await stored(api.services, completed(visit_of("user-1", "v1")))
    shown = (await api.get("/v1/visits/v1")).json()
    assert shown["medications"]["started"][0]["name"] == "Aspirin"
    assert shown["summary"] == "The patient coughs."
    assert not {"wakeAt", "claim", "trace", "trouble", "userId", "audioUrl"} & set(shown)


async def test_the_transcript_history_and_actions_of_a_visit_can_be_read(api: Api) -> None:
    await stored(api.services, completed(visit_of("user-1", "v1")))
    said = (await api.get("/v1/visits/v1/transcript")).json()["utterances"]
    assert [line["text"] for line in said] == [text for _, text in DIALOGUE]
    history = (await api.get("/v1/visits/v1/history")).json()["entries"]
    assert [entry["event"] for entry in history] == ["audio_accepted"]
    actions = (await api.get("/v1/visits/v1/actions")).json()["actions"]
    assert [action["text"] for action in actions] == ["Rest."]


async def test_reading_a_missing_transcript_is_a_conflict(api: Api) -> None:
    await stored(api.services, transcribing(visit_of("user-1", "v1")))
    answer = await api.get("/v1/visits/v1/transcript")
    assert (answer.status_code, answer.json()["code"]) == (409, "no_transcript")


async def test_the_owner_can_change_title_tags_and_archived(api: Api) -> None:
    await stored(api.services, completed(visit_of("user-1", "v1")))
    changed = await api.call("PATCH", "/v1/visits/v1", json={"archived": True, "tags": ["knee"]})
    assert changed.status_code == 200
    assert changed.json()["group"] == "archived"
    renamed = (await api.call("PATCH", "/v1/visits/v1", json={"title": "Left knee"})).json()
    assert (renamed["title"], renamed["tags"], renamed["archived"]) == ("Left knee", ["knee"], True)


@pytest.mark.parametrize("field", ["status", "processingStatus", "userId", "summary", "legalHold"])
async def test_a_patch_of_any_other_field_of_a_visit_is_refused(api: Api, field: str) -> None:
    before = completed(visit_of("user-1", "v1"))
    await stored(api.services, before)
    answer = await api.call("PATCH", "/v1/visits/v1", json={field: "completed"})
    assert answer.status_code == 422
    kept = await api.services.store.get("v1")
    assert kept is not None
    assert kept.visit.status is before.status
