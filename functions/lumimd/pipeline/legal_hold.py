"""Legal hold: a visit under it neither changes nor is deleted, and new recordings wait.

| while under legal hold                  | result                                                |
|-----------------------------------------|-------------------------------------------------------|
| work on first results                   | continues, because it replaces no stored result       |
| work that would replace stored results  | is stopped; its file or summary waits for the release |
| a recording arrives                     | waits in `held_takes`, under an object hold           |
| a command, a client's write, a deletion | is refused: `legal_hold`                              |

The mark `holds/{visitId}` is written in the same commit as the visit. Commits that must fail under
a legal hold require the absence of this mark, so that no hold can slip in between a check and its
commit. See docs/decisions/0022.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from lumimd.domain import events as e
from lumimd.domain.codes import ErrorCode, RefusalCode
from lumimd.domain.commit import Commit, Stored
from lumimd.domain.dead_letter import dead_letter_of, works_again
from lumimd.domain.errors import Refused, Transient
from lumimd.domain.paths import recordings_folder
from lumimd.domain.state_machine import Advance, advance, audio_event
from lumimd.domain.visit import Hold, ProcessingStatus, Visit
from lumimd.pipeline.compare_and_set import until_saved
from lumimd.pipeline.save import announce, perform
from lumimd.pipeline.services import Services
from lumimd.policies.deployment import Policy
from lumimd.policies.lease import LEASE_GRACE, SUBMISSION
from lumimd.telemetry import logs

Step = tuple[e.Event, Advance]


async def hold(services: Services, visit_id: str, *, only_as_marked: bool = False) -> Visit:
    """Put the visit and its recordings under legal hold.

    A repeated call protects the recordings that an earlier call missed.

    With `only_as_marked`, the hold is set only if its mark exists: without one it was released.

    Raises:
        Refused: `visit_not_found`.
        Transient: the store or the bucket is not available; repeat it.
    """

    async def attempt() -> Visit:
        stored = await _there(services, visit_id)
        # The order matters: a release after the mark was read makes the save fail.
        if only_as_marked and await services.deletions.hold_of(visit_id) is None:
            return stored.visit
        now = services.clock.now()
        mark = Hold(visit_id=visit_id, user_id=stored.visit.user_id, held_at=now)
        event = e.HoldSet(None)
        return await _saved(services, stored, [(event, advance(stored.visit, event, now))], mark)

    visit = await until_saved(attempt)
    if visit.legal_hold:
        await protect_recordings(services, visit)
    return visit


async def release(services: Services, visit_id: str) -> Visit:
    """End the legal hold of the visit and of its recordings; the work that waited is due at once.

    The recordings are released first, so that an interrupted release leaves the visit under hold.

    Raises:
        Refused: `visit_not_found`.
        Transient: the store or the bucket is not available; repeat it.
    """

    async def attempt() -> Visit:
        stored = await _there(services, visit_id)
        await protect_recordings(services, stored.visit, held=False)
        steps = released(stored.visit, services.policy, services.clock.now())
        return await _saved(services, stored, steps, None)

    return await until_saved(attempt)


async def as_marked(services: Services, stored: Stored) -> Stored:
    """Return the visit, under legal hold again if a backup restored it without its hold.

    A visit that is deleted concurrently is returned as it was read, and cannot be saved.

    Raises:
        Transient: the store or the bucket is not available.
    """
    visit_id = stored.visit.visit_id
    if stored.visit.legal_hold or await services.deletions.hold_of(visit_id) is None:
        return stored
    logs.event("hold_was_restored")
    try:
        await hold(services, visit_id, only_as_marked=True)
        return await _there(services, visit_id)
    except Refused:
        return stored


async def erase_recordings(
    services: Services, visit_id: str, bucket: str, folder: str, up_to: int | None = None
) -> int:
    """Erase the recordings of a visit without legal hold, up to a generation.

    Returns the number of erased recordings.

    Only the legal hold of the visit decides. An object hold that remains without a legal hold, set
    late by an operator's call or an earlier run, is removed.

    Raises:
        Transient: the bucket is not available, or a recording was under an object hold; try again.
    """
    try:
        return await services.audio.erase(bucket, folder, up_to=up_to)
    except Transient:
        if await services.deletions.hold_of(visit_id) is None:
            await services.audio.hold(bucket, folder, held=False)
            # A legal hold may have been set in between.
            if await services.deletions.hold_of(visit_id) is not None:
                await services.audio.hold(bucket, folder, held=True)
        raise


async def protect_recordings(services: Services, visit: Visit, *, held: bool = True) -> int:
    """Set or release the object hold of every file of the visit; return the number of files.

    Raises:
        Transient: the bucket is not available.
    """
    bucket = visit.audio.bucket if visit.audio else services.policy.bucket
    if bucket is None:
        return 0
    folder = recordings_folder(visit.user_id, visit.visit_id)
    return await services.audio.hold(bucket, folder, held=held)


def released(visit: Visit, policy: Policy, now: datetime) -> list[Step]:
    """Return the state changes at the end of a legal hold: the work that was put off begins now."""
    steps: list[Step] = []

    def on(event: e.Event) -> Visit:
        step = advance(steps[-1][1].visit if steps else visit, event, now)
        if step.changed:
            steps.append((event, step))
        return steps[-1][1].visit

    now_is = on(e.HoldReleased(None))
    if visit.summary_owed and visit.processing_status is ProcessingStatus.COMPLETED:
        now_is = on(e.SummaryResumed(now_is.attempt))
    for file in visit.held_takes:
        now_is = on(audio_event(now_is, file))
    consented = now_is.consent is not None or not policy.requires_consent
    if any(isinstance(event, e.AudioAccepted) for event, _ in steps):
        if not consented:
            on(e.AudioRejected(now_is.attempt, ErrorCode.CONSENT_MISSING))
        else:
            steps[-1] = _looked_for(steps[-1], visit.updated_at)
        return steps
    error = now_is.processing_error
    if error is not None and error.code is ErrorCode.CONSENT_MISSING and consented:
        on(e.ConsentGivenLate(now_is.attempt))
    return steps


def _looked_for(last: Step, stopped_by: datetime) -> Step:
    """Make a waiting file look for its job before paying, as a stopped worker may have ordered.

    The legal hold stopped the worker of this file, which may still order the paid job.

    So no file begins before that worker's lease expires.
    """
    event, step = last
    visit, over_at = step.visit, stopped_by + SUBMISSION.work + LEASE_GRACE
    looks: e.Changes = {"possible_orders": max(e.LOOK_FIRST, visit.possible_orders)}
    if visit.wake_at is not None and visit.wake_at < over_at:
        looks |= {"wake_at": over_at, "lease": e.paused_until(over_at)}
    return event, replace(step, visit=visit.model_copy(update=looks))


async def _there(services: Services, visit_id: str) -> Stored:
    stored = await services.store.get(visit_id)
    if stored is None:
        raise Refused(RefusalCode.VISIT_NOT_FOUND)
    return stored


async def _saved(
    services: Services, stored: Stored, steps: Sequence[Step], mark: Hold | None
) -> Visit:
    """Save the visit after `steps` with its hold's mark, or without a mark; return the visit.

    Raises:
        Conflict: the visit changed since it was read, or is gone.
    """
    (_, last), before = steps[-1], stored.visit
    after = last.visit
    commit = Commit(
        after,
        entries=tuple(step.entry for _, step in steps if step.entry),
        dead_letter=dead_letter_of(before, after, services.clock.now()),
        no_dead_letter=works_again(before, after),
        hold=mark,
        no_hold=mark is None,
    )
    with logs.about(visitId=after.visit_id, trace=after.trace):
        saved = await services.store.save(stored, commit)
        for event, step in steps:
            announce(step, event)
        await perform(services, saved.visit, last, before.attempt)
    return saved.visit
