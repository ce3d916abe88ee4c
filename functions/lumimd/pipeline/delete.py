"""Deleting a visit, whoever is at work on it: gone at once, and nothing comes back.

The visit's document goes first, and the receipt comes in the same commit. From then on every save
of whoever was at work fails, since it is conditional on a document that is not there, and so does
creating it anew, which is conditional on there being no receipt. What is left is swept as often as
it takes: pages, action items and the recording at once; copies at the provider when the last claim
has ended, since its holder may have ordered a transcript with its last breath; and all of it again
whenever a recording comes for a visit that was deleted.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from lumimd.domain.commit import Conflict
from lumimd.domain.dead_letter import dead_letter_of
from lumimd.domain.errors import ErrorCode, Permanent, RefusalCode, Refused, Transient
from lumimd.domain.visit import Deletion, Visit
from lumimd.pipeline.legal_hold import erase_recordings
from lumimd.pipeline.save import CONFLICTS
from lumimd.pipeline.services import Services
from lumimd.policies.lease import GAP, SUMMARY
from lumimd.telemetry import logs

SETTLED_AFTER: Final = SUMMARY.work + 2 * GAP
"""An invocation that began before the deletion has ended by then, or its writes have failed."""

AGAIN_AFTER: Final = timedelta(minutes=5)
"""How soon to try again what could not be deleted: a job that runs, a store that is down."""


async def begin_deletion(services: Services, visit_id: str) -> Deletion | None:
    """Delete the visit and begin to sweep; None where there is none, the receipt of one that was.

    Raises:
        Refused: `legal_hold`.
        Transient: the store is not available.
    """
    for _ in range(CONFLICTS):
        stored = await services.store.get(visit_id)
        found = await services.deletions.get(visit_id)
        if stored is None:
            return found[0] if found else None
        if stored.visit.legal_hold:
            raise Refused(RefusalCode.LEGAL_HOLD)
        deletion = _of(services, stored.visit)
        version: object = None
        if found is not None:  # the visit was restored from a backup
            logs.event("restored_visit_deleted")
            deletion, version = _joined(found[0], deletion), found[1]
        try:
            await services.deletions.begin(stored, deletion, again=version)
        except Conflict:
            # A visit from before its hold may have been restored: the mark of the hold is newer.
            if await services.deletions.hold_of(visit_id) is not None:
                raise Refused(RefusalCode.LEGAL_HOLD) from None
            continue
        with logs.about(visitId=visit_id, trace=stored.visit.trace):
            logs.event("visit_deleted")
            await _forget_tasks(services, stored.visit)
        return deletion
    raise Transient(ErrorCode.INTERNAL_ERROR)


@dataclass
class Sweep:
    """What one sweep has deleted: `documents`, and what is outside of the store.

    `again_after` is set when something is left, since it could not be deleted now.
    """

    documents: Mapping[str, int] = field(default_factory=dict)
    outside: Counter[str] = field(default_factory=Counter)
    again_after: timedelta | None = None

    def added_to(self, counts: Mapping[str, int]) -> dict[str, int]:
        """The counts of the receipt, and what this sweep has deleted.

        The documents were counted when the visit went; nobody has written any since then.
        """
        most = {kind: max(counts.get(kind, 0), found) for kind, found in self.documents.items()}
        outside = {kind: counts.get(kind, 0) + found for kind, found in self.outside.items()}
        return {**counts, **most, **outside}


async def sweep(services: Services, visit_id: str) -> None:
    """Delete what is left of a deleted visit, and count it; again later where that is not all.

    Raises:
        Transient: the receipt cannot be saved.
    """
    found = await services.deletions.get(visit_id)
    if found is None or found[0].wake_at is None:
        return
    deletion, version = found
    now = services.clock.now()
    done = await _swept(services, deletion, now)
    wanted = _after(deletion, done, now)
    for _ in range(CONFLICTS):
        try:
            await services.deletions.save(version, wanted)
        except Conflict:
            found = await services.deletions.get(visit_id)
            if found is None or found[0] == wanted:
                return  # it is our own save, whose answer was lost
            # Another sweep, or another recording: whether that is all is not for us to say.
            logs.event("deletion_swept_by_another")
            deletion, version = found
            counts = done.added_to(deletion.counts)
            wanted = deletion.model_copy(update={"counts": counts})
        else:
            if wanted.completed_at is not None:
                logs.event("deletion_completed")
                await services.admission.gone(visit_id)
            return
    raise Transient(ErrorCode.INTERNAL_ERROR)


async def _swept(services: Services, deletion: Deletion, now: datetime) -> Sweep:
    """Delete what can be deleted now.

    Copies at the provider wait until everybody has stopped: whoever looks for a job before paying,
    and does not find it, orders another one.
    """
    done = Sweep()
    try:
        if await services.store.get(deletion.visit_id) is not None:
            await begin_deletion(services, deletion.visit_id)  # a backup has brought it back
        done.documents = await services.deletions.erase(deletion.visit_id)
        if deletion.bucket is not None:
            bucket, folder = deletion.bucket, deletion.folder
            done.outside["recordings"] += await erase_recordings(
                services, deletion.visit_id, bucket, folder
            )
            if now >= deletion.settled_at:
                below = await services.transcriber.jobs_below(bucket, folder)
                for job in dict.fromkeys((*deletion.transcript_ids, *below)):
                    done.outside["providerCopies"] += await services.transcriber.delete(job)
    except (Transient, Permanent) as error:
        logs.failure("deletion_not_finished", error)
        asked_s = error.retry_after_s if isinstance(error, Transient) else None
        done.again_after = max(AGAIN_AFTER, timedelta(seconds=asked_s or 0))
    except Refused as held:  # what was brought back is under legal hold: not before its release
        logs.failure("deletion_not_finished", held)
        done.again_after = AGAIN_AFTER
    return done


def _after(deletion: Deletion, done: Sweep, now: datetime) -> Deletion:
    changes: dict[str, object] = {"counts": done.added_to(deletion.counts)}
    if done.again_after is not None:
        changes |= {"wake_at": now + done.again_after}
    elif now < deletion.settled_at:
        changes |= {"wake_at": deletion.settled_at}
    else:
        changes |= {"wake_at": None, "completed_at": now, "transcript_ids": ()}
    return deletion.model_copy(update=changes)


async def _forget_tasks(services: Services, visit: Visit) -> None:
    """A task of ids alone; if it stays, it finds no visit and does nothing."""
    try:
        await services.tasks.forget(visit.visit_id, visit.attempt, visit.requests)
    except Transient as error:
        logs.failure("task_not_forgotten", error)


async def delete_remains(services: Services, visit_id: str, user_id: str) -> bool:
    """Sweep once more for a visit that is gone; whether anything of it is there.

    A backup may have brought back documents or recordings of a visit, and not the visit itself.

    Raises:
        Transient: the store or the bucket is not available.
    """
    folder = f"visits/{user_id}/{visit_id}/"
    for _ in range(CONFLICTS):
        found = await services.deletions.get(visit_id)
        bucket = (found[0].bucket if found else None) or services.policy.bucket
        in_bucket = bucket is not None and await services.audio.has(bucket, folder)
        if not in_bucket and not await services.deletions.remains(visit_id):
            return False
        now = services.clock.now()
        try:
            if found is None:
                await services.deletions.create(
                    Deletion(
                        visit_id=visit_id,
                        user_id=user_id,
                        requested_at=now,
                        settled_at=now,
                        wake_at=now,
                        bucket=bucket,
                        folder=folder,
                    )
                )
            else:
                again = {"wake_at": now, "completed_at": None, "bucket": bucket}
                await services.deletions.save(found[1], found[0].model_copy(update=again))
        except Conflict:
            continue
        return True
    raise Transient(ErrorCode.INTERNAL_ERROR)


def _joined(earlier: Deletion, again: Deletion) -> Deletion:
    """The receipt of a visit that is deleted once more: it counts, and names, what both found."""
    return again.model_copy(
        update={
            "settled_at": max(earlier.settled_at, again.settled_at),
            "bucket": again.bucket or earlier.bucket,
            "transcript_ids": tuple(
                dict.fromkeys((*earlier.transcript_ids, *again.transcript_ids))
            ),
            "counts": {
                kind: earlier.counts.get(kind, 0) + again.counts.get(kind, 0)
                for kind in {**earlier.counts, **again.counts}
            },
        }
    )


def _of(services: Services, visit: Visit) -> Deletion:
    now = services.clock.now()
    audio, job = visit.audio, visit.transcription
    jobs = (*(take.transcription for take in visit.takes), *((job,) if job else ()))
    ids = (*visit.given_up_jobs, *(each.transcript_id for each in (*jobs, *visit.ledger.jobs)))
    held_until = visit.lease.until if visit.lease else now
    return Deletion(
        visit_id=visit.visit_id,
        user_id=visit.user_id,
        requested_at=now,
        settled_at=max(now + SETTLED_AFTER, held_until + GAP),
        wake_at=now,
        bucket=audio.bucket if audio else None,
        folder=f"visits/{visit.user_id}/{visit.visit_id}/",
        transcript_ids=tuple(dict.fromkeys(ids)),
        counts={
            "visits": 1,
            "history": visit.history_length,
            "transcript": visit.transcript_pages,
            "actions": len(visit.action_ids),
            "deadLetters": int(dead_letter_of(None, visit, now) is not None),
        },
    )
