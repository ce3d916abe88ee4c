"""Defines the rehearsal of each runbook: its fault, symptoms and repair."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import BadAnswer, DeploymentFault, ProviderRefuses, Transient
from lumimd.domain.events import SummaryFailed
from lumimd.domain.visit import ProcessingStatus, Status
from lumimd.pipeline import commands
from lumimd.pipeline.save import save_event
from lumimd.rules.summarizer import RulesSummarizer
from lumimd.stores.retention_queries import RetentionQueries
from tests.runbooks.live import RETENTION, LiveServices
from tests.support.operators import QUEUE, SCHEDULE
from tests.support.services import NothingToSay

VISIT = "visit-4f7c19d2a06b4c1e9d35"
OTHER = "visit-8a1be54c7f2d4960b113"

Step = Callable[[LiveServices], Awaitable[None]]


async def nothing(services: LiveServices) -> None:
    """A step that changes nothing."""


async def settled(services: LiveServices) -> None:
    """Let half an hour pass, so that visits that wait for a dependency resume and complete."""
    await services.minutes(30)


@dataclass(frozen=True)
class Rehearsal:
    """The steps around the sections of a runbook, and the expected output.

    `fault` happens before the first command. `shown`: texts that the commands of the diagnosis
    print. `doctor`: the exit code of `scripts/ops doctor` in the diagnosis, 1 if it must name the
    fault. `repaired`: the external repair before the remedy (the provider is back, the key is
    changed). `passes`: the step before the verification. `words`: replacements of placeholders in
    capitals. In the verification every command ends with 0, and no command prints a text of `gone`.
    """

    fault: Step = nothing
    shown: tuple[str, ...] = ()
    doctor: int = 0
    repaired: Step = nothing
    passes: Step = settled
    gone: tuple[str, ...] = ()
    words: Mapping[str, str] = field(default_factory=dict)


async def _failed(services: LiveServices, *ids: str, code: ErrorCode) -> None:
    """Create visits that have a transcript and whose summary failed permanently with `code`."""
    await services.queues.pause(QUEUE)
    await services.uploaded(*ids)
    await services.minutes(3)
    await services.queues.resume(QUEUE)
    while not services.tasks.waiting.empty():
        services.tasks.waiting.get_nowait()
    for visit_id in ids:
        stored = await services.store.get(visit_id)
        assert stored is not None
        assert stored.visit.processing_status is ProcessingStatus.SUMMARIZING
        await save_event(services, stored, SummaryFailed(stored.visit.attempt, code))
        assert (await services.get(visit_id)).status is Status.PARTIAL


async def _silent(services: LiveServices, visit_id: str) -> None:
    services.provider.silent.add(visit_id)
    await services.uploaded(visit_id)
    await services.ended(visit_id)


def many(count: int) -> list[str]:
    return [f"visit-{number:020}" for number in range(count)]


async def one_letter_of_each_kind(services: LiveServices) -> None:
    await _failed(services, VISIT, code=ErrorCode.SUMMARY_INVALID)
    await _silent(services, OTHER)
    await services.minutes(2)


async def model_down(services: LiveServices) -> None:
    services.model.trouble = Transient(ErrorCode.SUMMARY_UNAVAILABLE)
    await services.uploaded(VISIT, *many(5))
    await services.minutes(4)


async def model_back(services: LiveServices) -> None:
    services.model.trouble = None


async def transcription_down(services: LiveServices) -> None:
    services.provider.trouble = Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE)
    await services.uploaded(VISIT, *many(5))
    await services.minutes(4)


async def provider_back(services: LiveServices) -> None:
    services.provider.trouble = None


async def provider_back_and_settled(services: LiveServices) -> None:
    services.provider.trouble = None
    await services.minutes(30)


async def key_refused(services: LiveServices) -> None:
    services.provider.trouble = ProviderRefuses(
        ErrorCode.TRANSCRIPTION_UNAVAILABLE, DeploymentFault.KEY_REFUSED
    )
    await services.uploaded(VISIT)
    await services.minutes(2)


async def schedule_paused(services: LiveServices) -> None:
    await services.schedules.pause(SCHEDULE)
    await services.uploaded(VISIT)
    await services.minutes(20)


async def queue_paused(services: LiveServices) -> None:
    await services.queues.pause(QUEUE)
    await services.uploaded(VISIT, *many(3))
    await services.minutes(20)


async def queue_and_schedule_paused(services: LiveServices) -> None:
    await services.schedules.pause(SCHEDULE)
    await queue_paused(services)


async def retention_paused(services: LiveServices) -> None:
    await services.schedules.pause(RETENTION)
    await services.minutes(5)


async def retention_fails(services: LiveServices) -> None:
    await services.uploaded(VISIT)
    await services.ended(VISIT)
    services.retention_queries = _Unavailable()
    await services.schedules.run(RETENTION)


class _Unavailable:
    def __getattr__(self, name: str) -> object:
        raise Transient(ErrorCode.INTERNAL_ERROR)


async def store_back(services: LiveServices) -> None:
    services.retention_queries = RetentionQueries(services.store.database)


async def repeated_work(services: LiveServices) -> None:
    await services.uploaded(VISIT)
    await services.ended(VISIT)
    for _ in range(3):
        await services.minutes(2)
        await commands.regenerate(services, VISIT)
        await services.ended(VISIT)


async def an_outage_and_two_others(services: LiveServices) -> None:
    await _failed(services, *many(3), code=ErrorCode.SUMMARY_UNAVAILABLE)
    await one_letter_of_each_kind(services)
    await services.minutes(70)


async def many_failures_and_a_silent_one(services: LiveServices) -> None:
    await _failed(services, VISIT, *many(6), code=ErrorCode.SUMMARY_UNAVAILABLE)
    await _silent(services, OTHER)
    await services.minutes(2)


async def many_failures(services: LiveServices) -> None:
    await _failed(services, VISIT, *many(11), code=ErrorCode.INTERNAL_ERROR)
    await services.minutes(2)


async def long_outage(services: LiveServices) -> None:
    await _failed(services, *many(12), code=ErrorCode.TRANSCRIPTION_UNAVAILABLE)
    services.provider.trouble = Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE)
    await services.uploaded(VISIT, *(f"late-{number}" for number in range(5)))
    await services.minutes(10)


async def retried_four_times(services: LiveServices) -> None:
    await _failed(services, VISIT, OTHER, code=ErrorCode.SUMMARY_INVALID)
    services.model.trouble = BadAnswer(ErrorCode.SUMMARY_INVALID, may_get_better=False)
    services.fallback = NothingToSay()
    for _ in range(4):
        await services.minutes(2)
        for visit_id in (VISIT, OTHER):
            await commands.retry(services, visit_id)
        await services.ended(VISIT, OTHER)
    await services.minutes(2)


async def model_changed(services: LiveServices) -> None:
    services.model.trouble = None
    services.fallback = RulesSummarizer()


async def slow_submission(services: LiveServices) -> None:
    services.provider.trouble = Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE)
    await services.uploaded(VISIT)
    services.provider.trouble = None
    await services.ended(VISIT)


async def rules_wrote_summaries(services: LiveServices) -> None:
    services.model.trouble = BadAnswer(ErrorCode.SUMMARY_REFUSED, may_get_better=False)
    await services.uploaded(VISIT, *many(6))
    await services.ended(VISIT, *many(6))


async def unreadable_visit(services: LiveServices) -> None:
    await services.uploaded(VISIT, OTHER)
    await services.ended(VISIT, OTHER)


async def first_visits(services: LiveServices) -> None:
    await services.uploaded(VISIT)
    await services.ended(VISIT)
    await _silent(services, OTHER)


async def one_visit(services: LiveServices) -> None:
    await services.uploaded(VISIT)
    await services.ended(VISIT)


_STUCK = ("stuck", "overdue or stand")
_REFUSED = Rehearsal(
    key_refused, ("key refused",), doctor=1, repaired=provider_back, gone=("key refused", "wrong")
)

REHEARSALS: Mapping[str, Rehearsal] = {
    "README": Rehearsal(),
    "breaker-open": Rehearsal(
        model_down,
        ("open", "breaker: model"),
        doctor=1,
        repaired=model_back,
        gone=("failures in a row",),
        words={"NAME": "model"},
    ),
    "budget": Rehearsal(repeated_work, ("repeated (retries, regenerations)",)),
    "dead-letter": Rehearsal(one_letter_of_each_kind, (VISIT, OTHER, "no_speech"), gone=(OTHER,)),
    "dependency-down": Rehearsal(
        transcription_down,
        ("open", "breaker: transcription"),
        doctor=1,
        repaired=provider_back,
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
        repaired=store_back,
    ),
    "provider-outage": Rehearsal(
        long_outage,
        ("open", "transcription_unavailable"),
        doctor=1,
        repaired=provider_back_and_settled,
        gone=("failures in a row", "transcription_unavailable"),
    ),
    "queue-backlog": Rehearsal(queue_paused, ("paused",), gone=("paused",)),
    "retention-stopped": Rehearsal(
        retention_paused, ("paused", "enforce-retention"), doctor=1, gone=("paused", "failed")
    ),
    "retried-too-often": Rehearsal(
        retried_four_times, (VISIT, "summary_invalid"), repaired=model_changed
    ),
    "rollback": Rehearsal(many_failures, ("internal_error",), gone=("internal_error",)),
    "slow-stage": Rehearsal(slow_submission, ("submission_deferred",)),
    "slow-visits": Rehearsal(queue_and_schedule_paused, ("paused", "stuck")),
    "spend": Rehearsal(repeated_work, ("repeated (retries, regenerations)",)),
    "summaries-by-rules": Rehearsal(rules_wrote_summaries, ("summary",), repaired=model_changed),
    "unreadable-documents": Rehearsal(unreadable_visit),
}
