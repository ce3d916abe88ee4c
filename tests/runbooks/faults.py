"""The fault that each runbook is for, how it shows, and what ends it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

from lumimd.adapters.memory.retention_queries import MemoryArchive
from lumimd.domain.errors import BadAnswer, DeploymentFault, ErrorCode, ProviderRefuses, Transient
from lumimd.domain.events import SummaryFailed
from lumimd.domain.visit import ProcessingStatus, Status
from lumimd.pipeline import commands
from lumimd.pipeline.save import record
from lumimd.rules.summarizer import RulesSummarizer
from tests.runbooks.live import RETENTION, LiveParts
from tests.support.operators import QUEUE, SCHEDULE
from tests.support.parts import NothingToSay

VISIT = "visit-4f7c19d2a06b4c1e9d35"
OTHER = "visit-8a1be54c7f2d4960b113"

Step = Callable[[LiveParts], Awaitable[None]]


async def nothing(parts: LiveParts) -> None:
    """No change."""


async def settled(parts: LiveParts) -> None:
    """Half an hour: held visits are back, and those that were due are done."""
    await parts.minutes(30)


@dataclass(frozen=True)
class Rehearsal:
    """`fault` happens before the first line is read.

    `shown`: texts that the commands of the second section print. `doctor`: the exit code of the
    doctor there, 1 where the fault is a problem that it must name. `mended`: what others do before
    the third section (the provider is back, the key is changed). `passes`: what happens before the
    last section. `words`: the words in capitals. In the last section every command ends with 0, the
    doctor too, and `gone` are texts that it prints no more.
    """

    fault: Step = nothing
    shown: tuple[str, ...] = ()
    doctor: int = 0
    mended: Step = nothing
    passes: Step = settled
    gone: tuple[str, ...] = ()
    words: Mapping[str, str] = field(default_factory=dict)


async def _failed(parts: LiveParts, *ids: str, code: ErrorCode) -> None:
    """Visits whose transcript is there and whose summary failed for good, by the model's fault."""
    await parts.queues.pause(QUEUE)
    await parts.uploaded(*ids)
    await parts.minutes(3)
    await parts.queues.resume(QUEUE)
    while not parts.tasks.waiting.empty():
        parts.tasks.waiting.get_nowait()
    for visit_id in ids:
        stored = await parts.store.get(visit_id)
        assert stored is not None
        assert stored.visit.processing_status is ProcessingStatus.SUMMARIZING
        await record(parts, stored, SummaryFailed(stored.visit.attempt, code))
        assert (await parts.get(visit_id)).status is Status.PARTIAL


async def _silent(parts: LiveParts, visit_id: str) -> None:
    parts.provider.silent.add(visit_id)
    await parts.uploaded(visit_id)
    await parts.ended(visit_id)


def many(count: int) -> list[str]:
    return [f"visit-{number:020}" for number in range(count)]


async def one_letter_of_each_kind(parts: LiveParts) -> None:
    await _failed(parts, VISIT, code=ErrorCode.SUMMARY_INVALID)
    await _silent(parts, OTHER)
    await parts.minutes(2)


async def model_down(parts: LiveParts) -> None:
    parts.model.trouble = Transient(ErrorCode.SUMMARY_UNAVAILABLE)
    await parts.uploaded(VISIT, *many(5))
    await parts.minutes(4)


async def model_back(parts: LiveParts) -> None:
    parts.model.trouble = None


async def transcription_down(parts: LiveParts) -> None:
    parts.provider.trouble = Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE)
    await parts.uploaded(VISIT, *many(5))
    await parts.minutes(4)


async def provider_back(parts: LiveParts) -> None:
    parts.provider.trouble = None


async def provider_back_and_settled(parts: LiveParts) -> None:
    parts.provider.trouble = None
    await parts.minutes(30)


async def key_refused(parts: LiveParts) -> None:
    parts.provider.trouble = ProviderRefuses(
        ErrorCode.TRANSCRIPTION_UNAVAILABLE, DeploymentFault.KEY_REFUSED
    )
    await parts.uploaded(VISIT)
    await parts.minutes(2)


async def schedule_paused(parts: LiveParts) -> None:
    await parts.schedules.pause(SCHEDULE)
    await parts.uploaded(VISIT)
    await parts.minutes(20)


async def queue_paused(parts: LiveParts) -> None:
    await parts.queues.pause(QUEUE)
    await parts.uploaded(VISIT, *many(3))
    await parts.minutes(20)


async def queue_and_schedule_paused(parts: LiveParts) -> None:
    await parts.schedules.pause(SCHEDULE)
    await queue_paused(parts)


async def retention_paused(parts: LiveParts) -> None:
    await parts.schedules.pause(RETENTION)
    await parts.minutes(5)


async def retention_fails(parts: LiveParts) -> None:
    await parts.uploaded(VISIT)
    await parts.ended(VISIT)
    parts.archive = _Unavailable()
    await parts.schedules.run(RETENTION)


class _Unavailable:
    def __getattr__(self, name: str) -> object:
        raise Transient(ErrorCode.INTERNAL_ERROR)


async def archive_back(parts: LiveParts) -> None:
    parts.archive = MemoryArchive(parts.store)


async def repeated_work(parts: LiveParts) -> None:
    await parts.uploaded(VISIT)
    await parts.ended(VISIT)
    for _ in range(3):
        await parts.minutes(2)
        await commands.regenerate(parts, VISIT)
        await parts.ended(VISIT)


async def an_outage_and_two_others(parts: LiveParts) -> None:
    await _failed(parts, *many(3), code=ErrorCode.SUMMARY_UNAVAILABLE)
    await one_letter_of_each_kind(parts)
    await parts.minutes(70)


async def many_failures_and_a_silent_one(parts: LiveParts) -> None:
    await _failed(parts, VISIT, *many(6), code=ErrorCode.SUMMARY_UNAVAILABLE)
    await _silent(parts, OTHER)
    await parts.minutes(2)


async def many_failures(parts: LiveParts) -> None:
    await _failed(parts, VISIT, *many(11), code=ErrorCode.INTERNAL_ERROR)
    await parts.minutes(2)


async def long_outage(parts: LiveParts) -> None:
    await _failed(parts, *many(12), code=ErrorCode.TRANSCRIPTION_UNAVAILABLE)
    parts.provider.trouble = Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE)
    await parts.uploaded(VISIT, *(f"late-{number}" for number in range(5)))
    await parts.minutes(10)


async def retried_four_times(parts: LiveParts) -> None:
    await _failed(parts, VISIT, OTHER, code=ErrorCode.SUMMARY_INVALID)
    parts.model.trouble = BadAnswer(ErrorCode.SUMMARY_INVALID, may_get_better=False)
    parts.fallback = NothingToSay()
    for _ in range(4):
        await parts.minutes(2)
        for visit_id in (VISIT, OTHER):
            await commands.retry(parts, visit_id)
        await parts.ended(VISIT, OTHER)
    await parts.minutes(2)


async def model_changed(parts: LiveParts) -> None:
    parts.model.trouble = None
    parts.fallback = RulesSummarizer()


async def slow_submission(parts: LiveParts) -> None:
    parts.provider.trouble = Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE)
    await parts.uploaded(VISIT)
    parts.provider.trouble = None
    await parts.ended(VISIT)


async def rules_wrote_summaries(parts: LiveParts) -> None:
    parts.model.trouble = BadAnswer(ErrorCode.SUMMARY_REFUSED, may_get_better=False)
    await parts.uploaded(VISIT, *many(6))
    await parts.ended(VISIT, *many(6))


async def unreadable_visit(parts: LiveParts) -> None:
    await parts.uploaded(VISIT, OTHER)
    await parts.ended(VISIT, OTHER)


async def first_visits(parts: LiveParts) -> None:
    await parts.uploaded(VISIT)
    await parts.ended(VISIT)
    await _silent(parts, OTHER)


async def one_visit(parts: LiveParts) -> None:
    await parts.uploaded(VISIT)
    await parts.ended(VISIT)


_STUCK = ("stuck", "overdue or stand")
_REFUSED = Rehearsal(
    key_refused, ("key refused",), doctor=1, mended=provider_back, gone=("key refused", "wrong")
)

REHEARSALS: Mapping[str, Rehearsal] = {
    "README": Rehearsal(),
    "breaker-open": Rehearsal(
        model_down,
        ("open", "breaker: model"),
        doctor=1,
        mended=model_back,
        gone=("failures in a row",),
        words={"NAME": "model"},
    ),
    "budget": Rehearsal(repeated_work, ("repeated (retries, regenerations)",)),
    "dead-letter": Rehearsal(one_letter_of_each_kind, (VISIT, OTHER, "no_speech"), gone=(OTHER,)),
    "dependency-down": Rehearsal(
        transcription_down,
        ("open", "breaker: transcription"),
        doctor=1,
        mended=provider_back,
        gone=("wrong",),
    ),
    "deployment-refused": _REFUSED,
    "key-rotation": replace(_REFUSED, gone=("wrong",)),
    "error-burst": Rehearsal(many_failures, (VISIT, "internal_error"), gone=(VISIT,)),
    "failed-for-an-hour": Rehearsal(
        an_outage_and_two_others,
        (VISIT, OTHER),
        gone=(VISIT, OTHER),
        words={"CODE": "summary_unavailable"},
    ),
    "failed-visits": Rehearsal(
        many_failures_and_a_silent_one,
        ("summary_unavailable", VISIT),
        gone=(VISIT, OTHER),
        words={"CODE": "summary_unavailable"},
    ),
    "failure-rate": Rehearsal(many_failures, ("internal_error",), gone=("internal_error",)),
    "first-day-in-production": Rehearsal(first_visits, ("running",), gone=(OTHER + " no_speech",)),
    "nothing-ran": Rehearsal(
        schedule_paused, ("paused", "wrong"), doctor=1, gone=("paused", VISIT)
    ),
    "overdue-visits": Rehearsal(
        queue_and_schedule_paused, ("paused", VISIT, "stuck"), gone=(VISIT,)
    ),
    "partial-runs": Rehearsal(
        retention_fails,
        ("The last call failed: enforce-retention",),
        doctor=1,
        mended=archive_back,
    ),
    "provider-outage": Rehearsal(
        long_outage,
        ("open", "transcription_unavailable"),
        doctor=1,
        mended=provider_back_and_settled,
        gone=("failures in a row", "transcription_unavailable"),
    ),
    "queue-backlog": Rehearsal(queue_paused, ("paused",), gone=("paused",)),
    "retention-stopped": Rehearsal(
        retention_paused, ("paused", "enforce-retention"), doctor=1, gone=("paused", "failed")
    ),
    "retried-too-often": Rehearsal(
        retried_four_times, (VISIT, "summary_invalid"), mended=model_changed
    ),
    "rollback": Rehearsal(many_failures, ("internal_error",), gone=("internal_error",)),
    "slow-stage": Rehearsal(slow_submission, ("submission_deferred",)),
    "slow-visits": Rehearsal(queue_and_schedule_paused, ("paused", "stuck")),
    "spend": Rehearsal(repeated_work, ("repeated (retries, regenerations)",)),
    "summaries-by-rules": Rehearsal(rules_wrote_summaries, ("summary",), mended=model_changed),
    "unreadable-documents": Rehearsal(unreadable_visit),
}
