"""The owner reads the progress of a visit, and retries, regenerates, cancels or deletes it."""

from datetime import timedelta

import pytest

from lumimd.domain.codes import ErrorCode
from lumimd.domain.visit import ProcessingError, ProcessingStatus, Stage, Visit
from lumimd.policies.priorities import Priority, first_turn
from tests.support.api import (
    Api,
    completed,
    failed,
    stored,
    transcribing,
    visit_of,
)
from tests.support.services import START


def half_way(visit: Visit) -> Visit:
    return transcribing(visit, progress_percent=50)


async def test_the_status_shows_progress_and_remaining_time(api: Api) -> None:
    await stored(api.services, half_way(visit_of("user-1", "v1")))
    api.services.clock.advance(timedelta(seconds=20))
    status = (await api.get("/v1/visits/v1/status")).json()
    assert status == {
        "visitId": "v1",
        "attempt": 1,
        "status": "processing",
        "processingStatus": "transcribing",
        "currentStep": "transcribing",
        "progressPercent": 50,
        "milestone": 50,
        "elapsedSeconds": 20,
        "estimatedSecondsRemaining": 30,
        "queuePosition": None,
        "takingLongerThanExpected": False,
        "retryInSeconds": None,
        "error": None,
    }


async def test_a_visit_takes_longer_than_expected_after_half_an_hour(api: Api) -> None:
    await stored(api.services, half_way(visit_of("user-1", "v1")))
    api.services.clock.advance(timedelta(minutes=30, seconds=-1))
    assert not (await api.get("/v1/visits/v1/status")).json()["takingLongerThanExpected"]
    api.services.clock.advance(timedelta(seconds=1))
    status = (await api.get("/v1/visits/v1/status")).json()
    assert status["takingLongerThanExpected"]
    assert status["estimatedSecondsRemaining"] == 0


@pytest.mark.parametrize("processing_status", ProcessingStatus)
async def test_the_status_route_works_in_every_processing_status(
    api: Api, processing_status: ProcessingStatus
) -> None:
    error = None
    if processing_status is ProcessingStatus.FAILED:
        error = ProcessingError.of(ErrorCode.NO_SPEECH, Stage.TRANSCRIPTION)
    made = transcribing(
        visit_of("user-1", "v1"), processing_status=processing_status, processing_error=error
    )
    await stored(api.services, made)
    status = (await api.get("/v1/visits/v1/status")).json()
    assert status["processingStatus"] == processing_status
    assert status["takingLongerThanExpected"] is False
    assert status["estimatedSecondsRemaining"] >= 0
    # A retry cannot find speech in a silent recording.
    assert status["retryInSeconds"] is None


async def test_the_elapsed_time_of_a_completed_visit_does_not_increase(api: Api) -> None:
    await stored(api.services, completed(visit_of("user-1", "v1")))
    api.services.clock.advance(timedelta(days=1))
    status = (await api.get("/v1/visits/v1/status")).json()
    assert (status["elapsedSeconds"], status["estimatedSecondsRemaining"]) == (45, 0)
    assert (status["progressPercent"], status["milestone"]) == (100, 100)


async def test_the_status_shows_the_seconds_until_a_retry_is_accepted(api: Api) -> None:
    await stored(api.services, failed(visit_of("user-1", "v1"), last_retry_at=START))
    api.services.clock.advance(timedelta(seconds=29, milliseconds=1))
    assert (await api.get("/v1/visits/v1/status")).json()["retryInSeconds"] == 1
    refused = await api.post("/v1/visits/v1/retry")
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "1"
    assert refused.json()["code"] == "retry_too_soon"
    assert refused.json()["retryAfterSeconds"] == 1
    api.services.clock.advance(timedelta(milliseconds=999))
    assert (await api.get("/v1/visits/v1/status")).json()["retryInSeconds"] == 0
    accepted = await api.post("/v1/visits/v1/retry")
    assert (accepted.status_code, accepted.json()["attempt"]) == (202, 2)


async def test_a_refused_command_returns_409_with_the_code_of_its_reason(api: Api) -> None:
    await stored(
        api.services,
        transcribing(visit_of("user-1", "running")),
        completed(visit_of("user-1", "done")),
        failed(visit_of("user-1", "broken")),
    )
    for path, code in {
        "running/retry": "still_processing",
        "running/regenerate": "still_processing",
        "done/retry": "nothing_to_retry",
        "done/cancel": "already_over",
        "broken/regenerate": "no_transcript",
    }.items():
        answer = await api.post(f"/v1/visits/{path}")
        assert (answer.status_code, answer.json()["code"]) == (409, code), path


async def test_a_regeneration_does_not_order_a_new_transcript(api: Api) -> None:
    await stored(api.services, completed(visit_of("user-1", "v1")))
    answer = await api.post("/v1/visits/v1/regenerate")
    assert (answer.status_code, answer.json()["processingStatus"]) == (202, "summarizing")
    assert not api.services.transcriber.orders


async def test_cancel_ends_the_visit_with_the_status_cancelled(api: Api) -> None:
    await stored(api.services, transcribing(visit_of("user-1", "v1")))
    answer = await api.post("/v1/visits/v1/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")


async def test_deleting_a_visit_leaves_only_a_deletion_receipt_for_its_owner(api: Api) -> None:
    await stored(api.services, completed(visit_of("user-1", "v1")))
    receipt = await api.call("DELETE", "/v1/visits/v1")
    assert receipt.status_code == 202
    assert receipt.json()["counts"]["visits"] == 1
    assert (await api.get("/v1/visits/v1")).status_code == 404
    again = await api.get("/v1/deletions/v1")
    assert again.json()["visitId"] == "v1"
    assert (await api.get("/v1/deletions/v1", "user-2")).status_code == 404


async def test_a_visit_under_legal_hold_is_not_deleted(api: Api) -> None:
    await stored(api.services, completed(visit_of("user-1", "v1"), legal_hold=True))
    answer = await api.call("DELETE", "/v1/visits/v1")
    assert (answer.status_code, answer.json()["code"]) == (409, "legal_hold")
    assert (await api.get("/v1/visits/v1")).status_code == 200


async def test_the_status_of_a_queued_visit_shows_its_position(api: Api) -> None:
    first = first_turn(Priority.LIVE)
    await stored(
        api.services,
        visit_of("user-2", "theirs", turn=first + 1),
        visit_of("user-1", "mine", turn=first + 2),
        visit_of("user-1", "later", turn=first + 3),
        visit_of("user-1", "urgent", turn=first_turn(Priority.URGENT) + 1),
    )
    permits = {
        visit_id: (await api.get(f"/v1/visits/{visit_id}/status")).json()["queuePosition"]
        for visit_id in ("mine", "later", "urgent")
    }
    assert permits == {"mine": 2, "later": 3, "urgent": 1}
