"""Legal hold: a held visit neither changes nor goes, and new recordings wait beside it.

| while held                              | result                                                |
|-----------------------------------------|-------------------------------------------------------|
| work on first results                   | goes on: it adds what is not there                    |
| work that would replace stored results  | is stopped; its file or summary waits for the release |
| a recording arrives                     | waits beside (`held_takes`), its object under hold    |
| a command, a client's write, a deletion | is refused: `legal_hold`                              |

The mark `holds/{visitId}` is written with the visit. Commits that must not succeed under a hold
depend on its absence, so that no check can be overtaken. See docs/decisions/0022.
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
    """Protect the visit with its recordings; a repeated call protects the recordings left out.

    `only_as_marked`: a hold without a mark was released, and is not set again.

    Raises:
        Refused: `visit_not_found`.
        Transient: the store or the bucket is not available; repeat it.
    """

    async def attempt() -> Visit:
        stored = await _there(services, visit_id)
        # In this order: a release after the mark was read makes the save fail.
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
    """End the hold of the visit and of its recordings; the work that waited is due at once.

    The recordings come first: a release that breaks off leaves the visit held.

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
    """The visit; under hold again if a backup restored it from before its hold.

    A visit that is deleted concurrently stays as it was read, and cannot be saved.

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
    """Erase the recordings of a visit that is not held, up to a generation; how many.

    The legal hold of the visit decides, and not an object hold that outlived it: one that an
    operator's call or an earlier run set late keeps no recording of a visit that is not held.

    Raises:
        Transient: the bucket is not available, or a recording was under hold; try again.
    """
    try:
        return await services.audio.erase(bucket, folder, up_to=up_to)
    except Transient:
        if await services.deletions.hold_of(visit_id) is None:
            await services.audio.hold(bucket, folder, held=False)
            if await services.deletions.hold_of(visit_id) is not None:  # it came in between
                await services.audio.hold(bucket, folder, held=True)
        raise


async def protect_recordings(services: Services, visit: Visit, *, held: bool = True) -> int:
    """Set or release the object hold of every file of the visit; how many are there.

    Raises:
        Transient: the bucket is not available.
    """
    bucket = visit.audio.bucket if visit.audio else services.policy.bucket
    if bucket is None:
        return 0
    folder = recordings_folder(visit.user_id, visit.visit_id)
    return await services.audio.hold(bucket, folder, held=held)


def released(visit: Visit, policy: Policy, now: datetime) -> list[Step]:
    """The steps of a visit whose hold ends: the work that was put off begins now."""
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
    """The hold may have stopped an order of a waiting file: look for each job before paying.

    The stopped worker may still order. So no file begins before its lease has expired.
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
    """The visit after `steps`, saved with the mark of its hold or without one.

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
