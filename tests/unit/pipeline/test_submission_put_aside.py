"""Test that a submission waits for an unavailable dependency and then pays one job."""

import pytest

from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Held, Transient
from lumimd.pipeline import accept, commands
from lumimd.policies import due
from lumimd.policies.waiting import FIRST, RELEASE_OVER
from tests.support.services import MemoryServices
from tests.support.visits import MINUTE, minutes_pass, visit_of


@pytest.fixture
def services() -> MemoryServices:
    return MemoryServices()


async def test_submissions_that_wait_for_a_dependency_wake_up_at_different_times(
    services: MemoryServices,
) -> None:
    async def held(*_: object, **__: object) -> str:
        raise Held(ErrorCode.TRANSCRIPTION_UNAVAILABLE, retry_after_s=60)

    services.transcriber.submit = held  # type: ignore[method-assign]
    for number in range(50):
        await accept.accept(services, services.upload(f"visit-{number}"))
    wake_ups = [(await visit_of(services, f"visit-{n}")).wake_at for n in range(50)]
    assert None not in wake_ups
    spread = max(wake_ups) - min(wake_ups)  # type: ignore[type-var,operator]
    assert RELEASE_OVER / 2 < spread <= RELEASE_OVER
    assert len(set(wake_ups)) == 50


@pytest.mark.parametrize("unavailable", ["measure", "signed_url"])
async def test_a_bucket_outage_of_an_hour_uses_up_no_try(
    services: MemoryServices, unavailable: str
) -> None:
    working = getattr(services.audio, unavailable)

    async def fail(*_: object) -> None:
        raise Transient(ErrorCode.INTERNAL_ERROR)

    setattr(services.audio, unavailable, fail)
    await accept.accept(services, services.upload())
    await minutes_pass(services, 60)
    assert (await visit_of(services)).stage_tries == 0
    setattr(services.audio, unavailable, working)
    await minutes_pass(services, 11)
    assert len(services.transcriber.orders) == 1


async def test_an_outage_of_the_job_list_after_a_lost_response_uses_up_no_further_try(
    services: MemoryServices,
) -> None:
    """Without the list of jobs the worker cannot know whether a job was submitted."""
    submit, find = services.transcriber.submit, services.transcriber.find

    async def answer_lost(url: str, *, visit_id: str, attempt: int) -> str:
        await submit(url, visit_id=visit_id, attempt=attempt)
        raise Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE)

    async def fail(_: object) -> None:
        raise Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE)

    services.transcriber.submit = answer_lost  # type: ignore[method-assign]
    services.transcriber.find = fail  # type: ignore[method-assign,assignment]
    await accept.accept(services, services.upload())
    await minutes_pass(services, 60)
    assert (await visit_of(services)).stage_tries == 1, "the order that was sent"
    services.transcriber.find = find  # type: ignore[method-assign]
    await minutes_pass(services, 11)
    visit = await visit_of(services)
    assert visit.transcription
    assert len(services.transcriber.orders) == 1


async def test_a_job_with_an_unknown_outcome_is_not_retried_before_the_list_shows_it(
    services: MemoryServices,
) -> None:
    """Retry-After is ten seconds, but the provider's list of jobs lags by thirty seconds."""

    async def sent_and_not_answered(*_: object, **__: object) -> str:
        raise Held(ErrorCode.TRANSCRIPTION_UNAVAILABLE, retry_after_s=10)

    services.transcriber.submit = sent_and_not_answered  # type: ignore[method-assign]
    for number in range(20):
        await accept.accept(services, services.upload(f"visit-{number}"))
    for number in range(20):
        wake_at = (await visit_of(services, f"visit-{number}")).wake_at
        assert wake_at
        assert wake_at - services.clock.now() >= FIRST


async def test_an_upload_event_delivered_hours_late_ends_as_a_dead_letter(
    services: MemoryServices,
) -> None:
    uploaded = services.upload()
    services.clock.advance(due.EVENT_CAP + MINUTE)
    await accept.accept(services, uploaded)
    visit = await visit_of(services)
    assert visit.processing_error
    assert visit.processing_error.code is ErrorCode.RECEIVED_TOO_LATE
    assert await services.store.dead_letter("visit-1")
    assert services.transcriber.orders == []
    await commands.retry(services, "visit-1")
    await minutes_pass(services, 2)
    assert len(services.transcriber.orders) == 1, "the recording exists and can be retried"
