"""Decides the next action for a visit that is due (`wake_at` has come)."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from lumimd.domain.visit import ProcessingStatus, Visit
from lumimd.policies.deployment_faults import since_fault

EVENT_CAP: Final = timedelta(hours=12)
"""The age of an upload event from which the recording is rejected and becomes a dead letter."""

IN_LINE: Final = 8
"""The factor by which visits that wait for a permit or for their quota expire later."""


class Need(StrEnum):
    """The possible next actions for a due visit."""

    NOTHING = "nothing"
    EXPIRE = "expire"
    SUBMIT = "submit"
    STAY_IN_LINE = "stay_in_line"
    COLLECT = "collect"
    REQUEST_SUMMARY = "request_summary"


def need(visit: Visit, now: datetime, expires_after: timedelta) -> Need:
    """Return the next action for `visit` at `now`.

    The visit needs nothing if it was leased or finished since the query found it.
    """
    if visit.is_leased(now):
        return Need.NOTHING
    if visit.queued_at is not None and visit.processing_status is ProcessingStatus.PENDING:
        expires_after *= IN_LINE
    if visit.legal_hold and visit.audio is None:
        return Need.NOTHING
    if not visit.processing_status.is_terminal and now - _stage_began_at(visit) >= expires_after:
        return Need.EXPIRE
    match visit.processing_status:
        case ProcessingStatus.PENDING if visit.turn is not None:
            return Need.STAY_IN_LINE
        case ProcessingStatus.PENDING if visit.audio is not None:
            return Need.SUBMIT
        case ProcessingStatus.TRANSCRIBING:
            return Need.COLLECT
        case ProcessingStatus.SUMMARIZING:
            return Need.REQUEST_SUMMARY
        case _:
            return Need.NOTHING


def _stage_began_at(visit: Visit) -> datetime:
    """Return the start of the present stage, since earlier stages do not count for the expiry."""
    began_at = visit.timings.processing_started_at if visit.timings else visit.created_at
    job = visit.transcription
    began_at = max(began_at, job.completed_at or job.submitted_at) if job else began_at
    return since_fault(visit, began_at)


RETRY_GAP: Final = timedelta(seconds=30)
"""The least time between two requested retries of one visit. An earlier retry is refused with the
seconds that remain (requirement S1)."""
