"""The cost of a visit, entry by entry: pure.

A transcription job is on the ledger, by its id, once it is known. It is charged once, when it has a
transcript: a silent job is charged as well, a failed one is not. The model has no such ids, and it
charges for an answer that was lost with its worker. So the save that takes a lease reserves its
calls, and the save with their outcome settles them; a reserve without a settlement stays.
The invariant is in docs/decisions/0023-ledger-and-bill.md.
"""

from dataclasses import dataclass
from typing import Final

from lumimd.domain.visit import Ledger, LedgerJob, Visit

JOBS_REMEMBERED: Final = 100
"""The newest jobs only, so that a document stays small: a visit of many files has dozens."""


@dataclass(frozen=True)
class Settlement:
    """The outcome of the model calls of one summary lease.

    `answers` arrived and are charged; the outcome of `unheard` calls is unknown. `reserved` calls
    were put on the ledger with the lease.
    """

    answers: int = 0
    unheard: int = 0
    reserved: int = 0


NOTHING: Final = Settlement()
"""No call was made."""


def ordered(visit: Visit, transcript_id: str) -> Ledger:
    """The ledger with this job on it."""
    return _noted(visit, transcript_id, None)


def charged(visit: Visit, transcript_id: str, seconds: float) -> Ledger:
    """The ledger with this job charged for `seconds` of audio; a repetition changes nothing."""
    return _noted(visit, transcript_id, seconds)


def is_charged(visit: Visit, transcript_id: str) -> bool:
    """Whether the audio of this job is on the ledger."""
    if any(job.transcript_id == transcript_id for job in visit.ledger.jobs):
        return _job(visit.ledger, transcript_id).seconds is not None
    return transcript_id in _charged_before(visit)


def reserved(visit: Visit, calls: int) -> Ledger:
    """The ledger with a reserve of `calls` for a new lease."""
    unsettled = visit.ledger.summaries_unsettled + calls
    return visit.ledger.model_copy(update={"summaries_unsettled": unsettled})


def settled(visit: Visit, outcome: Settlement) -> Ledger:
    """The ledger after the calls of a lease."""
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
    # The first entry brings the ids of the jobs that an earlier release counted without them.
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
    """Jobs of an earlier release; their audio is in the sum already, so they are charged 0 s."""
    charged = _charged_before(visit)
    return tuple(
        LedgerJob(transcript_id=job, seconds=0.0 if job in charged else None)
        for job in sorted(_ordered_before(visit))
    )


def _ordered_before(visit: Visit) -> frozenset[str]:
    """Jobs that were counted by an earlier release, which kept no ids on the ledger."""
    if visit.ledger.jobs or not visit.ledger.orders:
        return frozenset()
    jobs = [take.transcription for take in visit.takes]
    jobs += [visit.transcription] if visit.transcription else []
    return frozenset((*visit.given_up_jobs, *(job.transcript_id for job in jobs)))


def _charged_before(visit: Visit) -> frozenset[str]:
    """The jobs among them with a stored transcript."""
    if visit.ledger.jobs or not visit.ledger.orders:
        return frozenset()
    jobs = [take.transcription for take in visit.takes]
    jobs += [visit.transcription] if visit.transcription else []
    return frozenset(job.transcript_id for job in jobs if job.completed_at is not None)
