"""Once an hour: recordings and visits that were kept for long enough go.

| what                                        | after                  | becomes                 |
|---------------------------------------------|------------------------|-------------------------|
| a visit that nobody uploads a recording for | `expires_after`        | `expired`               |
| the recording of a visit at its end         | `audio_retention`      | erased                  |
| a visit with all that was made of it        | `transcript_retention` | deleted, with a receipt |

A visit under legal hold stays as it is. What a visit is at work on is left alone.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final

from lumimd import events as e
from lumimd import logs
from lumimd.deletion import begin_deletion
from lumimd.parts import Parts
from lumimd.reconciliation import AT_HOUR, reconcile
from lumimd.recording import record
from lumimd.records import Visit
from lumimd.takes import newest_generation

BATCH: Final = 200
"""Visits of each kind that one run looks at; the next run takes the next ones."""


async def hourly(parts: Parts) -> None:
    """Enforce the retention, and once a day reconcile as well.

    Raises:
        Transient: something is not available; the next hour does it.
        ExceptionGroup: what went wrong with single visits.
    """
    if parts.clock.now().hour == AT_HOUR:
        await reconcile(parts)
    await enforce(parts)


async def enforce(parts: Parts) -> dict[str, int]:
    """Do what is due; how many visits of each kind were dealt with.

    Raises:
        Transient: the store is not available.
        ExceptionGroup: what went wrong with single visits, after every visit had its turn.
    """
    now, policy = parts.clock.now(), parts.policy
    archive = parts.archive
    done: dict[str, int] = {}
    troubles: list[Exception] = []

    async def each(
        what: str, visits: Sequence[Visit], deal: Callable[[Parts, Visit], Awaitable[bool]]
    ) -> None:
        done[what] = 0
        for visit in visits:
            with logs.about(visitId=visit.visit_id, trace=visit.trace):
                try:
                    done[what] += await deal(parts, visit)
                except Exception as trouble:  # one visit must not stop the others; raised below
                    logs.failure("retention_failed", trouble)
                    troubles.append(trouble)

    await each("expired", await archive.waiting(now - policy.expires_after, BATCH), _expire)
    if policy.transcript_retention is not None:
        before = now - policy.transcript_retention
        await each("deleted", await archive.older(before, BATCH), _delete)
    before = now - policy.audio_retention
    await each("recordings_erased", await archive.with_audio(before, BATCH), _erase_audio)
    logs.event("retention_enforced", count=sum(done.values()))
    if troubles:
        raise ExceptionGroup("visits that could not be dealt with", troubles)
    return done


async def _expire(parts: Parts, visit: Visit) -> bool:
    """Whoever has a recording has `wake_at` as well: recovery is at it."""
    if visit.audio is not None:
        return False
    stored = await parts.store.get(visit.visit_id)
    if stored is None or stored.visit.audio is not None:
        return False
    wanted = _without_audio
    await record(parts, stored, e.VisitExpired(None), still_wanted=wanted)
    return True


def _without_audio(visit: Visit) -> bool:
    return visit.audio is None


async def _delete(parts: Parts, visit: Visit) -> bool:
    if visit.legal_hold or not visit.processing_status.is_terminal:
        return False
    return await begin_deletion(parts, visit.visit_id) is not None


async def _erase_audio(parts: Parts, visit: Visit) -> bool:
    if visit.legal_hold or visit.audio is None or not visit.processing_status.is_terminal:
        return False
    if _is_young(parts, visit):
        return False
    folder = f"visits/{visit.user_id}/{visit.visit_id}/"
    # A newer recording may be there already, and its event still on its way.
    await parts.audio.erase(visit.audio.bucket, folder, up_to=newest_generation(visit))
    stored = await parts.store.get(visit.visit_id)
    if stored is not None:
        erased = e.VisitEdited(None, {"audio_erased_at": parts.clock.now()})
        await record(parts, stored, erased, still_wanted=lambda now: now.audio == visit.audio)
    return True


def _is_young(parts: Parts, visit: Visit) -> bool:
    """A recording that came late, or was replaced, is kept for as long as any other."""
    began_at: datetime = visit.timings.processing_started_at if visit.timings else visit.created_at
    return parts.clock.now() - began_at < parts.policy.audio_retention
