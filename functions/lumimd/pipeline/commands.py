"""Commands of owners and operators on one visit.

Each command reads the visit, decides, asks the transition table and saves by compare-and-set; after
a lost race it reads and decides again. If the same command is sent several times at once, one call
succeeds and the other calls raise `Refused`.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from lumimd.domain import events as e
from lumimd.domain.codes import ErrorCode, RefusalCode
from lumimd.domain.commit import Commit
from lumimd.domain.errors import Refused
from lumimd.domain.state_machine import retry_event
from lumimd.domain.visit import Consent, Deletion, ProcessingStatus, Visit
from lumimd.pipeline import legal_hold
from lumimd.pipeline.compare_and_set import until_saved
from lumimd.pipeline.delete import begin_deletion
from lumimd.pipeline.save import save_event_once
from lumimd.pipeline.services import Services
from lumimd.policies.due import RETRY_GAP
from lumimd.telemetry import logs


class VisitNotFound(Refused):
    """No visit has this id."""

    def __init__(self) -> None:
        super().__init__(RefusalCode.VISIT_NOT_FOUND)


async def create(
    services: Services,
    *,
    visit_id: str,
    user_id: str,
    consent: bool,
    title: str | None = None,
    tags: Sequence[str] = (),
    batch_id: str | None = None,
    urgent: bool = False,
) -> Visit:
    """Create a visit that waits for its recording.

    Raises:
        Conflict: a visit with this id exists, or was deleted.
        Transient: the store is not available.
    """
    now = services.clock.now()
    visit = Visit(
        visit_id=visit_id,
        user_id=user_id,
        title=title,
        tags=tuple(tags),
        batch_id=batch_id,
        urgent=urgent,
        consent=Consent(given_at=now) if consent else None,
        wake_at=now + services.policy.expires_after,
        created_at=now,
        updated_at=now,
        trace=services.new_id(),
    )
    return (await services.store.create(Commit(visit))).visit


async def retry(services: Services, visit_id: str) -> Visit:
    """Begin another attempt at a failed visit, from the stage that failed.

    A stored transcript is reused.

    Raises:
        Refused: `legal_hold`, `still_processing`, `retry_too_soon`, `nothing_to_retry` or
            `visit_not_found`.
        Transient: the store is not available.
    """

    def decide(visit: Visit, now: datetime) -> e.Event:
        not_held(visit)
        _at_its_end(visit)
        error = visit.processing_error
        failed = visit.processing_status is ProcessingStatus.FAILED
        if not failed or visit.audio is None or error is None or not error.retryable:
            raise Refused(RefusalCode.NOTHING_TO_RETRY)
        _not_too_soon(visit, now)
        return retry_event(visit)

    return await _command(services, visit_id, decide)


async def regenerate(services: Services, visit_id: str) -> Visit:
    """Make another summary of the stored transcript; the present summary stays meanwhile.

    Raises:
        Refused: `legal_hold`, `still_processing`, `retry_too_soon`, `no_transcript` or
            `visit_not_found`.
        Transient: the store is not available.
    """

    def decide(visit: Visit, now: datetime) -> e.Event:
        not_held(visit)
        _at_its_end(visit)
        if visit.transcription is None or visit.transcription.completed_at is None:
            raise Refused(RefusalCode.NO_TRANSCRIPT)
        if visit.processing_status is ProcessingStatus.CANCELLED:
            raise Refused(RefusalCode.ALREADY_OVER)
        _not_too_soon(visit, now)
        completed = visit.processing_status is ProcessingStatus.COMPLETED
        return (e.SummaryRegenerated if completed else e.SummaryRetried)(visit.attempt)

    return await _command(services, visit_id, decide)


async def cancel(services: Services, visit_id: str) -> Visit:
    """Stop the work on an unfinished visit; no further call is paid for it.

    Raises:
        Refused: `legal_hold`, `already_over` or `visit_not_found`.
        Transient: the store is not available.
    """

    def decide(visit: Visit, now: datetime) -> e.Event:
        not_held(visit)
        if visit.processing_status.is_terminal:
            raise Refused(RefusalCode.ALREADY_OVER)
        return e.VisitCancelled(None)

    return await _command(services, visit_id, decide)


async def give_consent(services: Services, visit_id: str) -> Visit:
    """Save the patient's consent; a recording that was refused without consent is processed now.

    Under legal hold the consent is saved too, and the recording waits for the release.

    Raises:
        Refused: `visit_not_found`.
        Transient: the store is not available.
    """

    def decide(visit: Visit, now: datetime) -> e.Event:
        error = visit.processing_error
        failed = visit.processing_status is ProcessingStatus.FAILED
        missing = error is not None and error.code is ErrorCode.CONSENT_MISSING
        if failed and missing and not visit.legal_hold:
            return e.ConsentGivenLate(visit.attempt)
        return e.ConsentGiven(None)

    return await _command(services, visit_id, decide)


async def change(services: Services, visit_id: str, **fields: Any) -> Visit:
    """Change the fields that belong to the owner: `title`, `archived`, `tags`.

    Raises:
        Refused: `legal_hold` or `visit_not_found`.
        Transient: the store is not available.
    """
    unknown = set(fields) - {"title", "archived", "tags"}
    if unknown:
        raise TypeError(f"not fields of the owner: {sorted(unknown)}")

    def decide(visit: Visit, now: datetime) -> e.Event:
        not_held(visit)
        return e.VisitEdited(None, fields)

    return await _command(services, visit_id, decide)


async def prioritize(services: Services, visit_id: str, *, urgent: bool) -> Visit:
    """Make a visit urgent in the fair queue, or ordinary again.

    Raises:
        Refused: `already_over` or `visit_not_found`.
        Transient: the store is not available.
    """

    def decide(visit: Visit, now: datetime) -> e.Event:
        if visit.processing_status.is_terminal:
            raise Refused(RefusalCode.ALREADY_OVER)
        return e.VisitPrioritized(None, urgent)

    return await _command(services, visit_id, decide)


async def hold(services: Services, visit_id: str, *, legally: bool) -> Visit:
    """Put a visit under legal hold, or release it (`legal_hold.py`).

    Raises:
        Refused: `visit_not_found`.
        Transient: the store or the bucket is not available.
    """
    return await (legal_hold.hold if legally else legal_hold.release)(services, visit_id)


async def delete(services: Services, visit_id: str) -> Deletion:
    """Delete a visit and all data derived from it, even while it is being processed.

    The visit's document is deleted at once. Its recording, its tasks and the provider's copies are
    deleted afterwards, and counted in the deletion receipt. The deletion is complete once every
    worker of the visit has certainly stopped.

    Raises:
        Refused: `legal_hold` or `visit_not_found`.
        Transient: the store is not available.
    """
    deletion = await begin_deletion(services, visit_id)
    if deletion is None:
        raise VisitNotFound
    return deletion


async def _command(
    services: Services, visit_id: str, decide: Callable[[Visit, datetime], e.Event]
) -> Visit:
    async def attempt() -> Visit:
        stored = await services.store.get(visit_id)
        if stored is None:
            raise VisitNotFound
        stored = await legal_hold.as_marked(services, stored)
        with logs.about(visitId=visit_id, trace=stored.visit.trace):
            event = decide(stored.visit, services.clock.now())
            return (await save_event_once(services, stored, event)).visit

    return await until_saved(attempt)


def not_held(visit: Visit) -> None:
    """Refuse to change a visit under legal hold.

    Raises:
        Refused: `legal_hold`.
    """
    if visit.legal_hold:
        raise Refused(RefusalCode.LEGAL_HOLD)


def _at_its_end(visit: Visit) -> None:
    if not visit.processing_status.is_terminal:
        raise Refused(RefusalCode.STILL_PROCESSING)


def _not_too_soon(visit: Visit, now: datetime) -> None:
    if visit.last_retry_at is not None and now - visit.last_retry_at < RETRY_GAP:
        left = visit.last_retry_at + RETRY_GAP - now
        raise Refused(RefusalCode.RETRY_TOO_SOON, retry_after_s=left.total_seconds())
