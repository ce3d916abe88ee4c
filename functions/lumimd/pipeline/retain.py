"""Enforce retention: once an hour, delete expired recordings and visits.

| document                                    | after                  | becomes                 |
|---------------------------------------------|------------------------|-------------------------|
| a visit that never got a recording          | `expires_after`        | `expired`               |
| the recording of a visit at its end         | `audio_retention`      | erased                  |
| a visit with all its results                | `transcript_retention` | deleted                 |

A visit under legal hold stays as it is. A visit that is being processed is left alone.

Each run reads all pages, alternating between the three rules. A visit that was dealt with is not
found again. A visit that stays (under legal hold, in process, unreadable) is passed over. A run
that is out of time logs this, and the next hour's run continues.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lumimd.domain import events as e
from lumimd.domain.audio import Audio
from lumimd.domain.commit import Stored
from lumimd.domain.errors import Refused
from lumimd.domain.paths import recordings_folder
from lumimd.domain.takes import newest_generation
from lumimd.domain.visit import Visit
from lumimd.pipeline.delete import begin_deletion
from lumimd.pipeline.legal_hold import as_marked, erase_recordings, protect_recordings
from lumimd.pipeline.reconcile import AT_HOUR, reconcile
from lumimd.pipeline.rounds import Run, each_for_itself
from lumimd.pipeline.save import save_event
from lumimd.pipeline.services import Services
from lumimd.policies.time_budgets import RETENTION_RUN
from lumimd.ports.paging import Cursor, Page
from lumimd.telemetry import logs

PAGE: Final = 300
"""Visits in memory at a time, for each of the three rules."""

AT_ONCE: Final = 32
"""Visits that are worked on at once; a visit mostly waits for the bucket and the store."""


Ask = Callable[[datetime, int, Cursor | None], Awaitable[Page[Stored]]]
Deal = Callable[[Services, Stored], Awaitable[bool]]


async def hourly(services: Services) -> None:
    """Reconcile once a day, then enforce retention; a failure of one does not stop the other.

    Raises:
        Transient: a dependency is not available; the next hour's run tries again.
        ExceptionGroup: single visits failed.
    """
    ends_at = services.clock.now() + RETENTION_RUN
    works: list[Callable[[], Awaitable[object]]] = [lambda: enforce(services, ends_at)]
    if services.clock.now().hour == AT_HOUR:
        works.insert(0, lambda: reconcile(services))
    await each_for_itself("retention and reconciliation", *works)


async def enforce(services: Services, ends_at: datetime | None = None) -> dict[str, int]:
    """Erase and expire due visits until `ends_at`; return the number of visits of each kind.

    Raises:
        Transient: the store is not available.
        ExceptionGroup: single visits failed; raised after all visits.
    """
    now = services.clock.now()
    run = Run(services.clock, _log_failure, at_once=AT_ONCE, ends_at=ends_at or now + RETENTION_RUN)
    rules = _rules(services, now)
    done = Counter({rule.name: 0 for rule in rules})
    reading = rules
    while reading and not run.is_over():
        for rule in reading:
            await run.part(rule.name, rule.page(services, run, done))
        reading = [rule for rule in reading if not rule.is_done(run)]
    logs.event("retention_enforced", count=sum(done.values()), unreadable=run.unreadable)
    run.end("enforce_retention")
    return {**done, "unreadable": run.unreadable}


@dataclass
class _Rule:
    """A retention rule: the query for its visits, the action for a visit, and the read position."""

    name: str
    ask: Ask
    before: datetime
    deal: Deal
    cursor: Cursor | None = None
    is_at_end: bool = False

    async def page(self, services: Services, run: Run, done: Counter[str]) -> None:
        """Apply the rule to the next page of visits."""

        async def deal(stored: Stored) -> None:
            # Awaited first, since other visits are counted concurrently.
            dealt_with = await self.deal(services, stored)
            done[self.name] += dealt_with

        page = run.passed_over(await self.ask(self.before, PAGE, self.cursor))
        await run.at_once(page.items, deal)
        self.cursor, self.is_at_end = page.cursor, page.cursor is None

    def is_done(self, run: Run) -> bool:
        return self.is_at_end or self.name in run.failed_parts


def _rules(services: Services, now: datetime) -> list[_Rule]:
    archive, policy = services.retention_queries, services.policy
    rules = [_Rule("expired", archive.waiting, now - policy.expires_after, _expire)]
    if policy.transcript_retention is not None:
        before = now - policy.transcript_retention
        rules.append(_Rule("deleted", archive.older, before, _delete))
    before = now - policy.audio_retention
    rules.append(_Rule("recordings_erased", archive.with_audio, before, _erase_audio))
    return rules


async def _expire(services: Services, stored: Stored) -> bool:
    """Expire a visit without a recording. A visit with a recording has a `wake_at` for recovery."""
    if stored.visit.audio is not None or stored.visit.legal_hold:
        return False
    await save_event(services, stored, e.VisitExpired(None), still_wanted=_without_audio)
    return True


def _without_audio(visit: Visit) -> bool:
    return visit.audio is None and not visit.legal_hold


async def _delete(services: Services, stored: Stored) -> bool:
    visit = stored.visit
    if visit.legal_hold or not visit.processing_status.is_terminal:
        return False
    try:
        return await begin_deletion(services, visit.visit_id) is not None
    except Refused:  # a backup restored the visit without its legal hold, whose mark remains
        return False


async def _erase_audio(services: Services, stored: Stored) -> bool:
    """Erase the recording; return whether there was one.

    A missing recording is saved as erased, so that the next run does not read the visit again. That
    is undone when another recording arrives.
    """
    if stored.visit.legal_hold:
        # The legal hold may have been released concurrently.
        held = await services.store.get(stored.visit.visit_id)
        if held is not None and held.visit.legal_hold:
            # The hold command may have failed half-way, and the bucket's lifecycle rule would
            # delete the recording a week later.
            await protect_recordings(services, held.visit)
    if not _may_be_erased(services, stored.visit):
        return False
    if stored.visit.audio is None:
        await _note(services, stored)
        return False
    # Read again: a legal hold may have been set since the page was read.
    again = await services.store.get(stored.visit.visit_id)
    if again is not None:
        again = await as_marked(services, again)
    if again is None or again.visit.audio is None or not _may_be_erased(services, again.visit):
        return False
    visit, audio = again.visit, again.visit.audio
    folder = recordings_folder(visit.user_id, visit.visit_id)
    # A newer recording may be in the bucket already, with its event on the way. A legal hold that
    # is set now also puts the objects under hold, so that the erasure fails.
    newest = newest_generation(visit)
    await erase_recordings(services, visit.visit_id, audio.bucket, folder, up_to=newest)
    await _note(services, again)
    return True


async def _note(services: Services, stored: Stored) -> None:
    audio = stored.visit.audio
    erased = e.VisitEdited(None, {"audio_erased_at": services.clock.now()})
    await save_event(services, stored, erased, still_wanted=lambda now: _is_as_erased(now, audio))


def _is_as_erased(now: Visit, audio: Audio | None) -> bool:
    return now.audio == audio and not now.legal_hold


def _may_be_erased(services: Services, visit: Visit) -> bool:
    """Return whether the retention period of the newest recording is over."""
    if visit.legal_hold or not visit.processing_status.is_terminal:
        return False
    began_at = visit.timings.processing_started_at if visit.timings else visit.created_at
    return services.clock.now() - began_at >= services.policy.audio_retention


def _log_failure(trouble: Exception) -> None:
    logs.failure("retention_failed", trouble)
