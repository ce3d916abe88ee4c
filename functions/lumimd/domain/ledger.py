"""The ledger of a visit: pure functions that record the cost of jobs and model calls.

A transcription job is on the ledger under its id as soon as the id is known. It is charged once,
when it has a transcript: a silent job is charged as well, a failed job is not. Model calls have no
such ids, and a response that was lost with its worker is charged too. So the save that takes a
lease reserves the model calls, and the save with their outcome settles them; an unsettled reserve
stays. The invariant is in docs/decisions/0023-ledger-and-bill.md.
"""

from dataclasses import dataclass
from typing import Final

from lumimd.domain.visit import Ledger, LedgerJob, Visit

JOBS_REMEMBERED: Final = 100
"""The number of jobs that a ledger remembers, so that the document stays small. A visit with many
files has dozens of jobs."""


@dataclass(frozen=True)
class Settlement:
    """The outcome of the model calls of one summary lease.

    `answers` is the number of responses that arrived and are charged, `unheard` the number of calls
    with an unknown outcome. `reserved` calls were put on the ledger when the lease was taken.
    """

    answers: int = 0
    unheard: int = 0
    reserved: int = 0


NOTHING: Final = Settlement()
"""The settlement of a lease without any model call."""


def ordered(visit: Visit, transcript_id: str) -> Ledger:
    """Return the ledger with an entry for this job, not charged yet."""
    return _noted(visit, transcript_id, None)


def charged(visit: Visit, transcript_id: str, seconds: float) -> Ledger:
    """Return the ledger with this job charged for `seconds` of audio, at most once."""
    return _noted(visit, transcript_id, seconds)


def is_charged(visit: Visit, transcript_id: str) -> bool:
    """Whether this job is already charged on the ledger."""
    if any(job.transcript_id == transcript_id for job in visit.ledger.jobs):
        return _job(visit.ledger, transcript_id).seconds is not None
    return transcript_id in _charged_before(visit)


def reserved(visit: Visit, calls: int) -> Ledger:
    """Return the ledger with `calls` model calls reserved for a new lease."""
    unsettled = visit.ledger.summaries_unsettled + calls
    return visit.ledger.model_copy(update={"summaries_unsettled": unsettled})


def settled(visit: Visit, outcome: Settlement) -> Ledger:
    """Return the ledger with the reserved calls of a lease replaced by their `outcome`."""
    before = visit.ledger
    unsettled = before.summaries_unsettled + outcome.unheard - outcome.reserved
    return before.model_copy(
        update={
            "summaries": before.summaries + outcome.answers,
            "summaries_unsettled": max(0, unsettled),
        }
    )


def _noted(visit: Visit, transcript_id: str, seconds: float | None) -> Ledger:
    ledger = visit.ledger
    known = _job(ledger, transcript_id)
    is_new = all(job.transcript_id != transcript_id for job in ledger.jobs)
    if known.seconds is not None or (is_new and transcript_id in _charged_before(visit)):
        return ledger
    entry = LedgerJob(transcript_id=transcript_id, seconds=seconds)
    # The first entry also adds entries for jobs that an earlier release counted without ids.
    known_jobs = ledger.jobs or _jobs_before(visit)
    others = (job for job in known_jobs if job.transcript_id != transcript_id)
    counted = is_new and transcript_id not in _ordered_before(visit)
    return ledger.model_copy(
        update={
            "orders": ledger.orders + counted,
            "audio_seconds": ledger.audio_seconds + (seconds or 0.0),
            "jobs": (*others, entry)[-JOBS_REMEMBERED:],
        }
    )


def _job(ledger: Ledger, transcript_id: str) -> LedgerJob:
    nothing = LedgerJob(transcript_id=transcript_id)
    return next((job for job in ledger.jobs if job.transcript_id == transcript_id), nothing)


def _jobs_before(visit: Visit) -> tuple[LedgerJob, ...]:
    """Return entries for jobs of an earlier release, at 0 s: their audio is already in the sum."""
    charged = _charged_before(visit)
    return tuple(
        LedgerJob(transcript_id=job, seconds=0.0 if job in charged else None)
        for job in sorted(_ordered_before(visit))
    )


def _ordered_before(visit: Visit) -> frozenset[str]:
    """Return the jobs that an earlier release counted without keeping their ids on the ledger."""
    if visit.ledger.jobs or not visit.ledger.orders:
        return frozenset()
    jobs = [take.transcription for take in visit.takes]
    jobs += [visit.transcription] if visit.transcription else []
    return frozenset((*visit.given_up_jobs, *(job.transcript_id for job in jobs)))


def _charged_before(visit: Visit) -> frozenset[str]:
    """Return the jobs of `_ordered_before` that have a stored transcript."""
    if visit.ledger.jobs or not visit.ledger.orders:
        return frozenset()
    jobs = [take.transcription for take in visit.takes]
    jobs += [visit.transcription] if visit.transcription else []
    return frozenset(job.transcript_id for job in jobs if job.completed_at is not None)
