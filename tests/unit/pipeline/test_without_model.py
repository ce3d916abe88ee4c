"""Test provisional and final rule-based summaries while the model is unavailable."""

import asyncio
from datetime import timedelta

import pytest

from lumimd.domain.clinical import Statement, VisitSummary
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import BadAnswer, Held, NotCharged, Permanent, Transient
from lumimd.domain.timing import MAX_TRIES
from lumimd.domain.transcript import Transcript
from lumimd.domain.visit import ProcessingStatus, Stage, Status
from lumimd.pipeline import commands, lease, summarize
from lumimd.policies.lease import LeaseDuration
from lumimd.policies.waiting import GIVE_UP_AFTER, PROVISIONAL_AFTER
from tests.support.services import START, MemoryServices, NothingToSay, transcribed
from tests.support.summaries import summary_of
from tests.support.visits import MINUTE, minutes_pass, run_tasks, visit_of, wake_after

AWAY = Transient(ErrorCode.SUMMARY_UNAVAILABLE)


@pytest.fixture
def services() -> MemoryServices:
    return MemoryServices()


class HeldModel:
    """A stub model that fails each call at once, like an open circuit breaker."""

    source = "model"

    async def summarize(self, _: object) -> None:
        raise Held(ErrorCode.SUMMARY_UNAVAILABLE, retry_after_s=60)


async def test_a_model_outage_uses_up_no_try_and_the_model_writes_the_summary_later(
    services: MemoryServices,
) -> None:
    model = services.summarizer
    await transcribed(services)
    services.summarizer = HeldModel()  # type: ignore[assignment]
    await run_tasks(services)
    await minutes_pass(services, 120)
    visit = await visit_of(services)
    assert visit.processing_status is ProcessingStatus.SUMMARIZING
    assert visit.stage_tries == 0
    assert await services.store.dead_letter("visit-1") is None

    services.summarizer = model
    await minutes_pass(services, 10)
    visit = await visit_of(services)
    assert (visit.status, visit.source, visit.provisional) == (Status.COMPLETED, "model", False)
    assert model.calls == 1


async def test_a_long_retry_after_of_the_model_is_kept_while_the_breaker_is_open(
    services: MemoryServices,
) -> None:
    await transcribed(services)
    long_wait = Transient(ErrorCode.SUMMARY_UNAVAILABLE, retry_after_s=1800)
    services.summarizer.raises = [AWAY, AWAY, long_wait]
    services.refusals[Stage.SUMMARY] = Held(ErrorCode.SUMMARY_UNAVAILABLE, retry_after_s=30)
    await run_tasks(services)
    await minutes_pass(services, 5)
    assert services.summarizer.calls == 3
    visit = await visit_of(services)
    assert visit.wake_at is not None
    assert visit.wake_at - services.clock.now() > 20 * MINUTE


async def test_a_provisional_summary_is_stored_once_and_later_replaced_by_the_model(
    services: MemoryServices,
) -> None:
    model = services.summarizer
    await transcribed(services)
    services.summarizer = HeldModel()  # type: ignore[assignment]
    await run_tasks(services)
    await minutes_pass(services, PROVISIONAL_AFTER / MINUTE - 2)
    assert (await visit_of(services)).summary is None
    await minutes_pass(services, 10)
    visit = await visit_of(services)
    assert (visit.source, visit.provisional, visit.status) == ("rules", True, Status.PROCESSING)
    assert visit.summary
    assert await services.store.actions("visit-1") == (), "provisional summaries create none"

    services.summarizer = model
    await minutes_pass(services, 10)
    events = [entry.event for entry in await services.store.history("visit-1")]
    assert events.count("provisional_summary_stored") == 1
    assert events.count("summary_stored") == 1
    assert len(await services.store.actions("visit-1")) == 2


async def test_a_duplicate_task_makes_no_model_call_before_retry_after(
    services: MemoryServices,
) -> None:
    await transcribed(services)
    services.clock.advance(PROVISIONAL_AFTER)
    services.summarizer.raises = [Transient(ErrorCode.SUMMARY_UNAVAILABLE, retry_after_s=300)]
    await run_tasks(services)
    assert (await visit_of(services)).provisional
    services.clock.advance(timedelta(seconds=299))
    await summarize.summarize(services, "visit-1", 1)
    assert services.summarizer.calls == 1
    await wake_after(services, timedelta(seconds=1))
    await run_tasks(services)
    assert (await visit_of(services)).status is Status.COMPLETED


async def test_the_rules_write_the_final_summary_when_the_model_stays_unavailable(
    services: MemoryServices,
) -> None:
    await transcribed(services)
    services.summarizer = HeldModel()  # type: ignore[assignment]
    await run_tasks(services)
    await minutes_pass(services, GIVE_UP_AFTER / MINUTE + 120)
    await assert_rules_wrote_it(services)
    events = [entry.event for entry in await services.store.history("visit-1")]
    assert events[-2:] == ["summary_claimed", "summary_stored"]
    assert events.count("provisional_summary_stored") == 1


async def test_the_rules_write_the_summary_after_the_last_failed_try(
    services: MemoryServices,
) -> None:
    await transcribed(services)
    services.summarizer.raises = [Transient(ErrorCode.INTERNAL_ERROR), AWAY, AWAY]
    await run_tasks(services)
    await minutes_pass(services, 30)
    assert services.summarizer.calls == MAX_TRIES
    await assert_rules_wrote_it(services)


async def test_the_rules_write_the_summary_after_repeated_crashes(services: MemoryServices) -> None:
    await transcribed(services)
    services.summarizer.raises = [ZeroDivisionError()] * MAX_TRIES  # the same as crashes
    for _ in range(MAX_TRIES):
        with pytest.raises(ZeroDivisionError):
            await run_tasks(services)
        await wake_after(services, timedelta(minutes=5))
    await run_tasks(services)
    assert services.summarizer.calls == MAX_TRIES
    await assert_rules_wrote_it(services)


@pytest.mark.parametrize("code", [code for code in ErrorCode if code.startswith("summary_")])
@pytest.mark.parametrize("bad", [NotCharged, Permanent, BadAnswer])
async def test_the_rules_write_the_summary_after_a_permanent_error_without_a_retry(
    services: MemoryServices, code: ErrorCode, bad: type[Permanent]
) -> None:
    await transcribed(services)
    services.summarizer.raises = [bad(code)] * 2
    await run_tasks(services)
    assert services.summarizer.calls == (2 if bad is BadAnswer else 1)
    await assert_rules_wrote_it(services)
    paid = {NotCharged: 0, Permanent: 1, BadAnswer: 2}
    assert (await visit_of(services)).ledger.summaries == paid[bad]


async def test_a_bad_answer_is_requested_again_in_the_same_try(services: MemoryServices) -> None:
    await transcribed(services)
    services.summarizer.raises = [BadAnswer(ErrorCode.SUMMARY_INVALID)]
    await run_tasks(services)
    visit = await visit_of(services)
    assert (visit.status, visit.source, visit.stage_tries) == (Status.COMPLETED, "model", 1)
    assert (services.summarizer.calls, visit.ledger.summaries) == (2, 2)


@pytest.mark.parametrize(
    "trouble", [AWAY, Held(ErrorCode.SUMMARY_UNAVAILABLE)], ids=["deferred", "held"]
)
@pytest.mark.parametrize("minutes", [0, 11], ids=["early", "provisional"])
async def test_a_paid_bad_answer_is_in_the_ledger_although_the_second_request_fails(
    services: MemoryServices, trouble: Exception, minutes: int
) -> None:
    await transcribed(services)
    services.clock.advance(minutes * MINUTE)
    services.summarizer.raises = [BadAnswer(ErrorCode.SUMMARY_INVALID), trouble]
    await run_tasks(services)
    visit = await visit_of(services)
    assert (visit.status, visit.ledger.summaries) == (Status.PROCESSING, 1)
    assert visit.provisional is bool(minutes)
    await minutes_pass(services, 20)
    visit = await visit_of(services)
    assert (visit.status, visit.source, visit.ledger.summaries) == (Status.COMPLETED, "model", 2)


async def test_an_answer_with_a_bad_statement_is_kept_if_the_second_request_times_out(
    services: MemoryServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow:
        source = "model"
        calls = 0

        async def summarize(self, heard: Transcript) -> VisitSummary:
            self.calls += 1
            if self.calls > 1:
                await asyncio.Event().wait()
            bad = Statement(text="Invented.", evidence=["u99"])
            return summary_of(heard).model_copy(update={"education": [bad]})

    monkeypatch.setattr(lease, "SUMMARY", LeaseDuration(work=timedelta(seconds=0.2)))
    services.summarizer = Slow()  # type: ignore[assignment]
    await transcribed(services)
    await run_tasks(services)
    visit = await visit_of(services)
    assert (visit.status, visit.source, visit.education) == (Status.COMPLETED, "model", ())
    assert visit.ledger.summaries == 1


async def test_an_owner_can_regenerate_a_rule_based_summary_with_the_model(
    services: MemoryServices,
) -> None:
    await transcribed(services)
    services.summarizer.raises = [Permanent(ErrorCode.SUMMARY_REFUSED)]
    await run_tasks(services)
    await commands.regenerate(services, "visit-1")
    await run_tasks(services)
    visit = await visit_of(services)
    assert (visit.status, visit.source) == (Status.COMPLETED, "model")
    actions = await services.store.actions("visit-1")
    assert tuple(each.action_id for each in actions) == visit.action_ids


@pytest.mark.parametrize("again", [[Permanent(ErrorCode.SUMMARY_REFUSED)], [AWAY] * 3])
async def test_a_rule_based_summary_stays_if_its_regeneration_fails(
    services: MemoryServices, again: list[Exception]
) -> None:
    await transcribed(services)
    services.summarizer.raises = [Permanent(ErrorCode.SUMMARY_REFUSED)]
    await run_tasks(services)
    await commands.regenerate(services, "visit-1")
    services.summarizer.raises = again
    await run_tasks(services)
    await minutes_pass(services, 30)
    await assert_rules_wrote_it(services)


async def test_a_visit_is_partial_when_the_model_fails_and_the_rules_find_nothing(
    services: MemoryServices,
) -> None:
    services.fallback = NothingToSay()
    await transcribed(services)
    services.summarizer.raises = [Transient(ErrorCode.INTERNAL_ERROR), AWAY, AWAY]
    await run_tasks(services)
    await minutes_pass(services, 30)
    visit = await visit_of(services)
    assert (visit.status, visit.source, visit.summary) == (Status.PARTIAL, None, None)
    assert len(await services.store.transcript("visit-1")) == 4
    letter = await services.store.dead_letter("visit-1")
    assert letter
    assert (letter.stage, letter.code) == (Stage.SUMMARY, ErrorCode.SUMMARY_UNAVAILABLE)
    assert letter.tries == MAX_TRIES
    assert letter.first_error is ErrorCode.INTERNAL_ERROR
    assert letter.last_error is ErrorCode.SUMMARY_UNAVAILABLE
    assert START < letter.first_seen_at + MINUTE <= letter.last_seen_at


async def assert_rules_wrote_it(services: MemoryServices) -> None:
    visit = await visit_of(services)
    assert (visit.status, visit.source, visit.provisional) == (Status.COMPLETED, "rules", False)
    assert visit.summary
    assert (visit.processing_error, visit.wake_at, visit.progress_percent) == (None, None, 100)
    assert await services.store.dead_letter("visit-1") is None
    actions = await services.store.actions("visit-1")
    assert tuple(each.action_id for each in actions) == visit.action_ids
