"""A submission waits while a dependency is unavailable, and pays once."""

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


async def test_held_submissions_wake_up_at_different_times(services: MemoryServices) -> None:
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
async def test_an_hour_without_the_bucket_uses_up_no_try(
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


async def test_an_unavailable_job_list_uses_up_no_try(services: MemoryServices) -> None:
    """Without the list the worker cannot know that no transcript exists."""
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


async def test_an_order_of_unknown_outcome_is_not_repeated_before_the_list_shows_it(
    services: MemoryServices,
) -> None:
    """A half-open breaker sets ten seconds as Retry-After; the provider's list lags by thirty."""

    async def sent_and_not_answered(*_: object, **__: object) -> str:
        raise Held(ErrorCode.TRANSCRIPTION_UNAVAILABLE, retry_after_s=10)

    services.transcriber.submit = sent_and_not_answered  # type: ignore[method-assign]
    for number in range(20):
        await accept.accept(services, services.upload(f"visit-{number}"))
    for number in range(20):
        wake_at = (await visit_of(services, f"visit-{number}")).wake_at
        assert wake_at
        assert wake_at - services.clock.now() >= FIRST


async def test_an_event_that_is_redelivered_for_hours_ends_as_a_dead_letter(
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
