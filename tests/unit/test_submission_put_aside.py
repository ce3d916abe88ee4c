"""What becomes of a submission while what it needs is away: it waits, and pays once."""

import pytest

from lumimd.domain.errors import ErrorCode, Held, Transient
from lumimd.pipeline import accept, commands
from lumimd.policies.waiting import FIRST, RELEASE_OVER
from tests.support.parts import MemoryParts
from tests.support.visits import MINUTE, minutes_pass, visit_of


@pytest.fixture
def parts() -> MemoryParts:
    return MemoryParts()


async def test_held_submissions_come_back_one_after_another(parts: MemoryParts) -> None:
    async def held(*_: object, **__: object) -> str:
        raise Held(ErrorCode.TRANSCRIPTION_UNAVAILABLE, retry_after_s=60)

    parts.transcriber.submit = held  # type: ignore[method-assign]
    for number in range(50):
        await accept.accept(parts, parts.upload(f"visit-{number}"))
    wake_ups = [(await visit_of(parts, f"visit-{n}")).wake_at for n in range(50)]
    assert None not in wake_ups
    spread = max(wake_ups) - min(wake_ups)  # type: ignore[type-var,operator]
    assert RELEASE_OVER / 2 < spread <= RELEASE_OVER
    assert len(set(wake_ups)) == 50


@pytest.mark.parametrize("unavailable", ["measure", "signed_url"])
async def test_a_bucket_that_is_away_for_an_hour_uses_up_no_try(
    parts: MemoryParts, unavailable: str
) -> None:
    working = getattr(parts.audio, unavailable)

    async def away(*_: object) -> None:
        raise Transient(ErrorCode.INTERNAL_ERROR)

    setattr(parts.audio, unavailable, away)
    await accept.accept(parts, parts.upload())
    await minutes_pass(parts, 60)
    assert (await visit_of(parts)).stage_tries == 0
    setattr(parts.audio, unavailable, working)
    await minutes_pass(parts, 11)
    assert len(parts.transcriber.orders) == 1


async def test_a_list_that_cannot_be_looked_at_uses_up_no_try(parts: MemoryParts) -> None:
    """Whoever cannot look does not know that there is no transcript."""
    ordering, looking = parts.transcriber.submit, parts.transcriber.find

    async def answer_lost(url: str, *, visit_id: str, attempt: int) -> str:
        await ordering(url, visit_id=visit_id, attempt=attempt)
        raise Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE)

    async def away(_: object) -> None:
        raise Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE)

    parts.transcriber.submit = answer_lost  # type: ignore[method-assign]
    parts.transcriber.find = away  # type: ignore[method-assign,assignment]
    await accept.accept(parts, parts.upload())
    await minutes_pass(parts, 60)
    assert (await visit_of(parts)).stage_tries == 1, "the order that was sent"
    parts.transcriber.find = looking  # type: ignore[method-assign]
    await minutes_pass(parts, 11)
    visit = await visit_of(parts)
    assert visit.transcription
    assert len(parts.transcriber.orders) == 1


async def test_an_order_that_may_have_arrived_is_not_repeated_before_the_list_shows_it(
    parts: MemoryParts,
) -> None:
    """A breaker that is being probed asks to come back in ten seconds; its list lags by thirty."""

    async def sent_and_not_answered(*_: object, **__: object) -> str:
        raise Held(ErrorCode.TRANSCRIPTION_UNAVAILABLE, retry_after_s=10)

    parts.transcriber.submit = sent_and_not_answered  # type: ignore[method-assign]
    for number in range(20):
        await accept.accept(parts, parts.upload(f"visit-{number}"))
    for number in range(20):
        wake_at = (await visit_of(parts, f"visit-{number}")).wake_at
        assert wake_at
        assert wake_at - parts.clock.now() >= FIRST


async def test_an_event_that_went_round_for_hours_ends_as_a_dead_letter(
    parts: MemoryParts,
) -> None:
    uploaded = parts.upload()
    parts.clock.advance(accept.EVENT_CAP + MINUTE)
    await accept.accept(parts, uploaded)
    visit = await visit_of(parts)
    assert visit.processing_error
    assert visit.processing_error.code is ErrorCode.RECEIVED_TOO_LATE
    assert await parts.store.dead_letter("visit-1")
    assert parts.transcriber.orders == []
    await commands.retry(parts, "visit-1")
    await minutes_pass(parts, 2)
    assert len(parts.transcriber.orders) == 1, "the recording is there and can be tried again"
