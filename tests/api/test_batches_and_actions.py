"""The routes of batches, action items and medications."""

from datetime import UTC, datetime
from typing import Any

import pytest

from lumimd.domain.clinical import Medication, Medications
from tests.support.api import (
    Api,
    action_of,
    completed,
    failed,
    stored,
    transcribing,
    visit_of,
)


async def test_a_batch_is_created_at_once_with_an_upload_path_per_visit(api: Api) -> None:
    announced = [{"title": f"Visit {n}", "contentType": "audio/mpeg"} for n in range(30)]
    answer = await api.post("/v1/batches", json={"consent": True, "visits": announced})
    assert answer.status_code == 201
    made = answer.json()["visits"]
    assert [each["visit"]["title"] for each in made] == [each["title"] for each in announced]
    assert len({each["upload"]["path"] for each in made}) == 30
    assert all(each["upload"]["path"].endswith("/audio.mp3") for each in made)
    assert {each["visit"]["batchId"] for each in made} == {answer.json()["batchId"]}


@pytest.mark.parametrize("number", [0, 101])
async def test_a_batch_must_have_one_to_a_hundred_visits(api: Api, number: int) -> None:
    body = {"consent": True, "visits": [{}] * number}
    assert (await api.post("/v1/batches", json=body)).status_code == 422


async def test_the_status_of_a_batch_counts_only_the_callers_visits_in_it(api: Api) -> None:
    await stored(
        api.services,
        visit_of("user-1", "waiting", batch_id="b"),
        transcribing(visit_of("user-1", "running", batch_id="b"), progress_percent=50),
        completed(visit_of("user-1", "done", batch_id="b")),
        failed(visit_of("user-1", "broken", batch_id="b")),
        completed(visit_of("user-1", "alone")),
        completed(visit_of("user-2", "theirs", batch_id="b")),
    )
    status = (await api.get("/v1/batches/b/status")).json()
    assert status["total"] == 4
    assert {k: n for k, n in status["byStatus"].items() if n} == {
        "processing": 2,
        "completed": 1,
        "failed": 1,
    }
    assert sum(status["byProcessingStatus"].values()) == status["total"]
    # (0 + 50 + 100 + 100) / 4
    assert (status["progressPercent"], status["isOver"]) == (62, False)


async def test_a_batch_is_over_when_all_its_visits_have_ended(api: Api) -> None:
    await stored(
        api.services,
        completed(visit_of("user-1", "done", batch_id="b")),
        failed(visit_of("user-1", "broken", batch_id="b")),
    )
    status = (await api.get("/v1/batches/b/status")).json()
    assert (status["progressPercent"], status["isOver"]) == (100, True)


async def test_an_owner_adds_edits_completes_and_removes_an_action(api: Api) -> None:
    await stored(api.services, completed(visit_of("user-1", "v1")))
    added = await api.post(
        "/v1/actions",
        json={"visitId": "v1", "text": "Walk.", "dueDate": "2026-03-08T10:00:00+02:00"},
    )
    assert added.status_code == 201
    path = f"/v1/actions/{added.json()['actionId']}"
    assert datetime.fromisoformat(added.json()["dueDate"]) == datetime(2026, 3, 8, 8, tzinfo=UTC)
    edited = await api.call("PATCH", path, json={"text": "Walk daily.", "dueDate": None})
    assert (edited.json()["text"], edited.json()["dueDate"]) == ("Walk daily.", None)
    done = (await api.call("PATCH", path, json={"completed": True})).json()
    assert (done["completed"], done["text"]) == (True, "Walk daily.")
    assert (await api.get(path)).json() == done
    assert (await api.call("DELETE", path)).status_code == 204
    assert (await api.get(path)).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"text": None},
        {"text": ""},
        {"text": "x" * 2001},
        {"completed": "true"},
        {"completed": None},
        {"dueDate": 5},
        {"dueDate": "1772960400"},
        {"dueDate": "2026-03-08"},
        {"dueDate": "2026-03-08T10:00:00"},
        {"dueDate": "9999-12-31T23:59:59-23:59"},
        {"userId": "user-2"},
        {"visitId": "v2"},
        {"evidence": ["u1"]},
    ],
)
async def test_an_invalid_edit_of_an_action_is_422_and_changes_nothing(api: Api, body: Any) -> None:
    await stored(api.services, completed(visit_of("user-1", "v1")))
    before = (await api.get("/v1/actions/v1-000")).json()
    assert (await api.call("PATCH", "/v1/actions/v1-000", json=body)).status_code == 422
    assert (await api.get("/v1/actions/v1-000")).json() == before


async def test_an_action_can_only_be_added_to_a_visit_of_the_caller(api: Api) -> None:
    await stored(api.services, completed(visit_of("user-2", "theirs")))
    for visit_id in ("theirs", "nothing"):
        answer = await api.post("/v1/actions", json={"visitId": visit_id, "text": "Walk."})
        assert answer.status_code == 404


async def test_actions_are_filtered_by_completion(api: Api) -> None:
    visit = visit_of("user-1", "v1")
    for number in range(3):
        await api.services.owner_queries.add_action(action_of(visit, number))
    await api.call("PATCH", "/v1/actions/v1-001", json={"completed": True})

    async def listed(query: str) -> list[str]:
        return [each["actionId"] for each in (await api.get(f"/v1/actions{query}")).json()["items"]]

    assert await listed("?completed=true") == ["v1-001"]
    assert await listed("?completed=false") == ["v1-002", "v1-000"]
    assert len(await listed("")) == 3


async def test_medications_name_the_visit_that_changed_them(api: Api) -> None:
    def drug(name: str) -> Medication:
        return Medication(name=name, dose=None, frequency=None, evidence=["u1"])

    first = Medications(started=[drug("Ibuprofen")], stopped=[], changed=[])
    later = Medications(started=[], stopped=[drug("Ibuprofen")], changed=[drug("Aspirin")])
    await stored(
        api.services,
        completed(visit_of("user-1", "first", minutes=0, title="Knee"), medications=first),
        completed(visit_of("user-1", "later", minutes=1), medications=later, archived=True),
        transcribing(visit_of("user-1", "running", minutes=2)),
        completed(visit_of("user-2", "theirs", minutes=3)),
    )
    items = (await api.get("/v1/medications")).json()["items"]
    assert [(each["visitId"], each["change"], each["medication"]["name"]) for each in items] == [
        ("later", "stopped", "Ibuprofen"),
        ("later", "changed", "Aspirin"),
        ("first", "started", "Ibuprofen"),
    ]
    assert items[2]["visitTitle"] == "Knee"
    page = (await api.get("/v1/medications?limit=1")).json()
    assert page["items"] == []
    rest = (await api.get(f"/v1/medications?limit=2&cursor={page['nextCursor']}")).json()
    assert (rest["items"], rest["nextCursor"]) == (items, None)
