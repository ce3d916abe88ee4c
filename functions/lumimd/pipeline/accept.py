"""The arrival of a recording: note it, take the submission lease, submit."""

from datetime import timedelta
from typing import Final

from lumimd.domain import events as e
from lumimd.domain.audio import Upload
from lumimd.domain.commit import Commit, Conflict
from lumimd.domain.dead_letter import dead_letter_of
from lumimd.domain.errors import (
    ErrorCode,
    Transient,
)
from lumimd.domain.state_machine import Advance, Effect, advance, audio_event
from lumimd.domain.visit import Consent, ProcessingStatus, Visit
from lumimd.pipeline.late_uploads import was_deleted, was_erased
from lumimd.pipeline.legal_hold import as_marked, protect_recordings
from lumimd.pipeline.save import CONFLICTS, announce
from lumimd.pipeline.services import Services
from lumimd.pipeline.submit import submit
from lumimd.pipeline.switches import held_by_switch
from lumimd.policies.lease import SUBMISSION
from lumimd.telemetry import logs

EVENT_CAP: Final = timedelta(hours=12)
"""An event that nobody could deal with for so long is not tried for ever: it is a dead letter."""


async def accept(services: Services, upload: Upload) -> None:
    """A recording has arrived: note it, claim it, and submit it.

    The same upload announced again, or by several events at once, is submitted once.

    Raises:
        Transient: nothing could be saved; the event must come again.
    """
    is_protected = False
    for _ in range(CONFLICTS):
        stored = await services.store.get(upload.visit_id)
        if stored is not None and stored.visit.user_id != upload.user_id:
            logs.event("upload_of_another_user", "warning")
            return
        if stored is None and await was_erased(services, upload):
            return
        if stored is not None and stored.visit.audio is not None:  # there is something to keep
            stored = await as_marked(services, stored)
        now = services.clock.now()
        visit = stored.visit if stored else _new_visit(services, upload)
        if upload.consented and visit.consent is None:
            visit = visit.model_copy(update={"consent": Consent(given_at=now)})
        if visit.trace is None:  # its owner created it
            visit = visit.model_copy(update={"trace": services.new_id()})
        arrived = audio_event(visit, upload.audio)
        accepted = advance(visit, arrived, now)
        if not accepted.changed:
            logs.event("upload_repeated")
            return
        if visit.legal_hold or is_protected:  # the hold may end between two tries
            await protect_recordings(services, accepted.visit, held=visit.legal_hold)
            is_protected = visit.legal_hold
        next_event = await _next_event(services, upload, accepted)
        leased = advance(accepted.visit, next_event, now) if next_event else accepted
        steps = (accepted, leased) if next_event else (accepted,)
        entries = tuple(step.entry for step in steps if step.entry)
        dead_letter = dead_letter_of(None, leased.visit, now)
        was_dead = visit.processing_status is ProcessingStatus.FAILED
        commit = Commit(
            leased.visit,
            entries,
            dead_letter=dead_letter,
            no_dead_letter=was_dead and dead_letter is None,
        )
        try:
            saved = await (
                services.store.save(stored, commit) if stored else services.store.create(commit)
            )
        except Conflict:
            if stored is None and await was_deleted(services, upload):
                return
            continue
        announce(accepted, arrived)
        if next_event is not None:
            announce(leased, next_event)
        if isinstance(next_event, e.SubmissionClaimed):
            with logs.about(attempt=saved.visit.attempt, trace=saved.visit.trace):
                await submit(services, saved)
        return
    raise Transient(ErrorCode.INTERNAL_ERROR)


async def _next_event(services: Services, upload: Upload, accepted: Advance) -> e.Event | None:
    """Claims the submission of an arrived recording, if it may be processed and is not stale.

    None where it waits for its turn. The claim may be for an earlier file that had no end.
    """
    visit = accepted.visit
    if Effect.SUBMIT_AUDIO not in accepted.effects:
        return None
    if services.policy.requires_consent and visit.consent is None:
        return e.AudioRejected(visit.attempt, ErrorCode.CONSENT_MISSING)
    announced_at = upload.announced_at if visit.audio == upload.audio else None
    if announced_at is not None and services.clock.now() - announced_at > EVENT_CAP:
        return e.AudioRejected(visit.attempt, ErrorCode.RECEIVED_TOO_LATE)
    held = await held_by_switch(services, visit)
    return held or e.SubmissionClaimed(
        visit.attempt, SUBMISSION.lease(services.new_id(), services.clock.now())
    )


def _new_visit(services: Services, upload: Upload) -> Visit:
    now = services.clock.now()
    return Visit(
        visit_id=upload.visit_id,
        user_id=upload.user_id,
        created_at=now,
        updated_at=now,
        trace=services.new_id(),
    )
