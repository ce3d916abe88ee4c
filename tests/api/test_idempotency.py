"""A request that is repeated with the same Idempotency-Key takes effect once."""

import asyncio
import uuid
from datetime import timedelta
from hashlib import sha256

import pytest

from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Transient
from lumimd.policies.keeping import ANSWER_KEPT_FOR, REQUEST_WORKED_ON_FOR
from lumimd.stores.idempotency_store import Answer, key_of
from tests.support.api import Api, action_of, failed, stored, visit_of

NEW = {"title": "Knee", "consent": True}


def key() -> dict[str, str]:
    return {"Idempotency-Key": uuid.uuid4().hex}


async def visits(api: Api, user: str = "user-1") -> int:
    return len((await api.get("/v1/visits", user)).json()["items"])


async def test_a_repeated_request_gets_the_same_response_and_takes_effect_once(api: Api) -> None:
    headers = key()
    first = await api.post("/v1/visits", json=NEW, headers=headers)
    again = await api.post("/v1/visits", json=NEW, headers=headers)
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert await visits(api) == 1


async def test_every_request_without_an_idempotency_key_takes_effect(api: Api) -> None:
    for _ in range(2):
        await api.post("/v1/visits", json=NEW)
    assert await visits(api) == 2


async def test_an_idempotency_key_reused_for_another_request_is_422(api: Api) -> None:
    headers = key()
    await api.post("/v1/visits", json=NEW, headers=headers)
    for path, body in (("/v1/visits", {**NEW, "title": "Hip"}), ("/v1/batches", NEW)):
        other = await api.post(path, json=body, headers=headers)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert await visits(api) == 1


async def test_two_users_can_use_the_same_idempotency_key(api: Api) -> None:
    headers = key()
    mine = await api.post("/v1/visits", json=NEW, headers=headers)
    theirs = await api.post("/v1/visits", "user-2", json=NEW, headers=headers)
    assert mine.json()["visit"]["visitId"] != theirs.json()["visit"]["visitId"]
    assert "Idempotency-Replayed" not in theirs.headers


async def test_exactly_one_of_several_concurrent_duplicate_requests_takes_effect(api: Api) -> None:
    headers = key()
    answers = await asyncio.gather(
        *(api.post("/v1/visits", json=NEW, headers=headers) for _ in range(20))
    )
    assert {answer.status_code for answer in answers} <= {201, 409}
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["code"] == "request_in_progress"
            assert int(answer.headers["Retry-After"]) >= 1
    assert await visits(api) == 1
    assert (await api.post("/v1/visits", json=NEW, headers=headers)).status_code == 201


async def test_a_refusal_is_not_stored_under_the_idempotency_key(api: Api) -> None:
    await stored(
        api.services, failed(visit_of("user-1", "v1"), last_retry_at=api.services.clock.now())
    )
    headers = key()
    refused = await api.post("/v1/visits/v1/retry", headers=headers)
    assert refused.status_code == 429
    api.services.clock.advance(timedelta(seconds=30))
    accepted = await api.post("/v1/visits/v1/retry", headers=headers)
    assert accepted.status_code == 202
    replayed = await api.post("/v1/visits/v1/retry", headers=headers)
    assert (replayed.status_code, replayed.json()) == (202, accepted.json())


async def test_an_invalid_request_does_not_use_up_its_key(api: Api) -> None:
    headers = key()
    assert (await api.post("/v1/visits", json={}, headers=headers)).status_code == 422
    assert (await api.post("/v1/visits", json=NEW, headers=headers)).status_code == 201


async def test_an_internal_error_does_not_use_up_the_idempotency_key(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = key()

    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(api.services.uploads, "place", broken)
        assert (await api.post("/v1/visits", json=NEW, headers=headers)).status_code == 500
    # The visit exists already, so the repeated request finds it and does not create a second visit.
    assert (await api.post("/v1/visits", json=NEW, headers=headers)).status_code == 201
    assert await visits(api) == 1


async def test_a_response_that_could_not_be_stored_is_returned_and_a_retry_creates_no_second_visit(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers, save = key(), api.services.idempotency.save

    async def fails_later(version: object | None, answer: Answer) -> object:
        if answer.status is not None:
            raise Transient(ErrorCode.INTERNAL_ERROR)
        return await save(version, answer)

    with monkeypatch.context() as patch:
        patch.setattr(api.services.idempotency, "save", fails_later)
        first = await api.post("/v1/visits", json=NEW, headers=headers)
    assert first.status_code == 201
    # The API cannot know yet whether the first request is still in progress.
    assert (await api.post("/v1/visits", json=NEW, headers=headers)).status_code == 409
    api.services.clock.advance(REQUEST_WORKED_ON_FOR)
    again = await api.post("/v1/visits", json=NEW, headers=headers)
    assert again.json()["visit"]["visitId"] == first.json()["visit"]["visitId"]
    assert await visits(api) == 1


async def test_the_key_of_a_crashed_request_can_be_used_again_after_a_time(api: Api) -> None:
    headers = key()
    now = api.services.clock.now()
    first = await api.post("/v1/visits", json=NEW, headers=headers)
    kept = await api.services.idempotency.get(key_of("user-1", headers["Idempotency-Key"]))
    assert kept is not None
    answer, version = kept
    died = {"status": None, "body": "", "until": now + REQUEST_WORKED_ON_FOR}
    await api.services.idempotency.save(version, answer.model_copy(update=died))
    assert (await api.post("/v1/visits", json=NEW, headers=headers)).status_code == 409
    api.services.clock.advance(REQUEST_WORKED_ON_FOR)
    again = await api.post("/v1/visits", json=NEW, headers=headers)
    assert again.json()["visit"]["visitId"] == first.json()["visit"]["visitId"]


async def test_an_idempotency_key_can_be_reused_after_a_day(api: Api) -> None:
    headers = key()
    await api.post("/v1/actions", json={}, headers=headers)
    await api.post("/v1/visits", json=NEW, headers=headers)
    api.services.clock.advance(ANSWER_KEPT_FOR)
    other = await api.post("/v1/visits", json={**NEW, "title": "Hip"}, headers=headers)
    assert other.status_code == 201


@pytest.mark.parametrize("bad", ["short", "x" * 129, "with a space in it", "\x7f" * 9])
async def test_an_idempotency_key_must_have_8_to_128_visible_characters(api: Api, bad: str) -> None:
    answer = await api.post("/v1/visits", json=NEW, headers={"Idempotency-Key": bad})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert await visits(api) == 0


async def test_a_repeated_batch_request_returns_the_same_batch(api: Api) -> None:
    headers = key()
    body = {"consent": True, "visits": [{"title": "One"}, {"title": "Two"}]}
    first = await api.post("/v1/batches", json=body, headers=headers)
    again = await api.post("/v1/batches", json=body, headers=headers)
    assert first.json() == again.json()
    assert await visits(api) == 2


async def test_a_stored_response_about_a_deleted_visit_is_not_replayed(api: Api) -> None:
    headers = key()
    created = await api.post("/v1/visits", json=NEW, headers=headers)
    visit_id = created.json()["visit"]["visitId"]
    assert (await api.call("DELETE", f"/v1/visits/{visit_id}")).status_code == 202
    again = await api.post("/v1/visits", json=NEW, headers=headers)
    # The same key makes the same visit id, and a deleted visit is not created again.
    assert (again.status_code, again.json()["code"]) == (409, "changed_meanwhile")
    assert "Knee" not in again.text
    assert await visits(api) == 0


def id_made_of(headers: dict[str, str], path: str, user: str = "user-1") -> str:
    """Return the id that the API derives from a key, as a stranger with the key can compute it."""
    return sha256(f"{user}/{headers['Idempotency-Key']}/{path}".encode()).hexdigest()[:32]


async def test_a_key_cannot_take_over_the_visit_of_another_user(api: Api) -> None:
    headers = key()
    squatted = id_made_of(headers, "/v1/visits")
    await stored(api.services, visit_of("user-2", squatted, title="Theirs"))
    answer = await api.post("/v1/visits", json=NEW, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert squatted not in answer.text
    assert "Theirs" not in answer.text
    assert (await api.post("/v1/visits", json=NEW, headers=key())).status_code == 201


async def test_a_key_cannot_take_over_a_visit_of_another_user_for_a_batch(api: Api) -> None:
    headers = key()
    batch_id = id_made_of(headers, "/v1/batches")
    squatted = sha256(f"{batch_id}/1".encode()).hexdigest()[:32]
    await stored(api.services, visit_of("user-2", squatted, title="Theirs"))
    body = {"consent": True, "visits": [{}, {}]}
    answer = await api.post("/v1/batches", json=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert "Theirs" not in answer.text


@pytest.mark.parametrize("other", [("user-2", "theirs"), ("user-1", "another")])
async def test_a_key_cannot_take_over_an_action_of_another_user_or_visit(
    api: Api, other: tuple[str, str]
) -> None:
    headers = key()
    owner, visit_id = other
    visit = visit_of(owner, visit_id)
    await stored(api.services, visit_of("user-1", "v1"), visit)
    made = {"action_id": id_made_of(headers, "/v1/actions"), "text": "Not yours."}
    await api.services.owner_queries.add_action(action_of(visit).model_copy(update=made))
    body = {"visitId": "v1", "text": "Walk."}
    answer = await api.post("/v1/actions", json=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert "Not yours" not in answer.text


async def test_repeating_a_create_action_request_returns_the_same_action_without_a_stored_response(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = key()
    await stored(api.services, visit_of("user-1", "v1"))
    body = {"visitId": "v1", "text": "Walk."}
    first = await api.post("/v1/actions", json=body, headers=headers)
    await api.services.idempotency.forget("user-1")
    again = await api.post("/v1/actions", json=body, headers=headers)
    assert (again.status_code, again.json()) == (201, first.json())


async def test_deleting_a_visit_deletes_only_the_stored_responses_that_name_it(api: Api) -> None:
    mine, others = key(), key()
    body = {"consent": True, "title": "Knee"}
    deleted = (await api.post("/v1/visits", json=body, headers=mine)).json()["visit"]["visitId"]
    kept = await api.post("/v1/visits", json=body, headers=others)
    await api.call("DELETE", f"/v1/visits/{deleted}")
    again = await api.post("/v1/visits", json=body, headers=others)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == kept.json()
    assert (await api.post("/v1/visits", json=body, headers=mine)).status_code == 409
