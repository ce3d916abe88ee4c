"""READ FIRST. Accept a recording that has arrived: the first step in the life of a visit.

    accept      save the arrival, take the submission lease, and submit
    submit      check the recording and order its transcript, a paid job (`submit.py`)
    collect     fetch the finished transcript and store it (`collect.py`)
    summarize   make the summary and its action items, and store them (`summarize.py`)

The transition table is `domain/state_machine.py`. Each step reads the visit, decides, and saves one
event by compare-and-set. A lost step is repeated when the visit's `wake_at` comes (`recover.py`).
"""

from dataclasses import dataclass

from lumimd.domain import events as e
from lumimd.domain.audio import Upload
from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Commit, Conflict, Stored
from lumimd.domain.dead_letter import dead_letter_of
from lumimd.domain.state_machine import Advance, Effect, advance, audio_event
from lumimd.domain.visit import Consent, ProcessingStatus, Visit
from lumimd.pipeline.compare_and_set import until_saved
from lumimd.pipeline.late_uploads import was_deleted, was_erased
from lumimd.pipeline.legal_hold import as_marked, protect_recordings
from lumimd.pipeline.save import announce
from lumimd.pipeline.services import Services
from lumimd.pipeline.submit import submit
from lumimd.pipeline.switches import held_by_switch
from lumimd.policies.due import EVENT_CAP
from lumimd.policies.lease import SUBMISSION
from lumimd.telemetry import logs


@dataclass(frozen=True)
class _Arrival:
    """The state changes that an upload causes: its arrival and, if work can begin now, a lease."""

    before: Visit
    steps: tuple[tuple[e.Event, Advance], ...]

    @property
    def after(self) -> Visit:
        return self.steps[-1][1].visit

    @property
    def takes_lease(self) -> bool:
        return isinstance(self.steps[-1][0], e.SubmissionClaimed)


async def accept(services: Services, upload: Upload) -> None:
    """Save the arrival of a recording, and submit the recording.

    An upload is submitted once, even if several events announce it.

    Raises:
        Transient: nothing could be saved; the event must be delivered again.
    """
    is_protected = False

    async def attempt() -> Stored | None:
        nonlocal is_protected
        stored = await services.store.get(upload.visit_id)
        if stored is not None and stored.visit.user_id != upload.user_id:
            logs.event("upload_of_another_user", "warning")
            return None
        if stored is None and await was_erased(services, upload):
            return None
        # A legal hold may protect stored results.
        if stored is not None and stored.visit.audio is not None:
            stored = await as_marked(services, stored)
        arrival = await _arrival(services, stored, upload)
        if arrival is None:
            logs.event("upload_repeated")
            return None
        if arrival.before.legal_hold or is_protected:  # the legal hold may end between two attempts
            held = arrival.before.legal_hold
            await protect_recordings(services, arrival.after, held=held)
            is_protected = held
        saved = await _saved(services, stored, arrival)
        if saved is None:
            if await was_deleted(services, upload):
                return None
            raise Conflict
        for event, step in arrival.steps:
            announce(step, event)
        return saved if arrival.takes_lease else None

    leased = await until_saved(attempt)
    if leased is not None:
        with logs.about(attempt=leased.visit.attempt, trace=leased.visit.trace):
            await submit(services, leased)


async def _arrival(services: Services, stored: Stored | None, upload: Upload) -> _Arrival | None:
    """Return the state changes of the visit; None where the visit has this recording already."""
    now = services.clock.now()
    visit = stored.visit if stored else _new_visit(services, upload)
    if upload.consented and visit.consent is None:
        visit = visit.model_copy(update={"consent": Consent(given_at=now)})
    if visit.trace is None:  # the owner created the visit before the upload
        visit = visit.model_copy(update={"trace": services.new_id()})
    arrived = audio_event(visit, upload.audio)
    accepted = advance(visit, arrived, now)
    if not accepted.changed:
        return None
    following = await _next_event(services, upload, accepted)
    if following is None:
        return _Arrival(visit, ((arrived, accepted),))
    after = advance(accepted.visit, following, now)
    return _Arrival(visit, ((arrived, accepted), (following, after)))


async def _next_event(services: Services, upload: Upload, accepted: Advance) -> e.Event | None:
    """Return the lease on an arrived recording, or the reason why it is not processed now.

    Returns None where the recording waits behind another file of the visit. The lease may be for an
    earlier file that was not finished.
    """
    visit = accepted.visit
    if Effect.SUBMIT_AUDIO not in accepted.effects:
        return None
    if services.policy.requires_consent and visit.consent is None:
        return e.AudioRejected(visit.attempt, ErrorCode.CONSENT_MISSING)
    now = services.clock.now()
    announced_at = upload.announced_at if visit.audio == upload.audio else None
    if announced_at is not None and now - announced_at > EVENT_CAP:
        return e.AudioRejected(visit.attempt, ErrorCode.RECEIVED_TOO_LATE)
    held = await held_by_switch(services, visit)
    return held or e.SubmissionClaimed(visit.attempt, SUBMISSION.lease(services.new_id(), now))


async def _saved(services: Services, stored: Stored | None, arrival: _Arrival) -> Stored | None:
    """Save the visit with the recording, and return it; None where it could not be created.

    Raises:
        Conflict: the visit changed since it was read.
    """
    dead_letter = dead_letter_of(None, arrival.after, services.clock.now())
    was_dead = arrival.before.processing_status is ProcessingStatus.FAILED
    commit = Commit(
        arrival.after,
        tuple(step.entry for _, step in arrival.steps if step.entry),
        dead_letter=dead_letter,
        no_dead_letter=was_dead and dead_letter is None,
    )
    if stored is not None:
        return await services.store.save(stored, commit)
    try:
        return await services.store.create(commit)
    except Conflict:
        return None


def _new_visit(services: Services, upload: Upload) -> Visit:
    now = services.clock.now()
    return Visit(
        visit_id=upload.visit_id,
        user_id=upload.user_id,
        created_at=now,
        updated_at=now,
        trace=services.new_id(),
    )
