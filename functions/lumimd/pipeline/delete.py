"""Delete a visit at once, so that no worker can restore it.

One commit deletes the visit's document and writes a deletion receipt (tombstone). After it every
worker's save fails, because a save needs the document, and a creation needs the absence of a
deletion receipt. A sweep deletes the remaining data and is repeated until nothing is left. It
deletes pages, action items and the recording at once. It deletes the provider's copies after the
last lease has expired, since a worker may have ordered a transcript (a paid job) shortly before. A
recording that arrives for a deleted visit starts the sweep again.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lumimd.domain.codes import RefusalCode
from lumimd.domain.commit import Conflict
from lumimd.domain.dead_letter import dead_letter_of
from lumimd.domain.errors import Permanent, Refused, Transient
from lumimd.domain.paths import recordings_folder
from lumimd.domain.visit import Deletion, Visit
from lumimd.pipeline.compare_and_set import until_saved
from lumimd.pipeline.legal_hold import erase_recordings
from lumimd.pipeline.services import Services
from lumimd.policies.deletion import SETTLED_AFTER, SWEEP_AGAIN_AFTER
from lumimd.policies.lease import LEASE_GRACE
from lumimd.telemetry import logs


async def begin_deletion(services: Services, visit_id: str) -> Deletion | None:
    """Delete the visit and begin the sweep; return the deletion receipt.

    Returns the earlier deletion receipt if the visit is deleted already, and None if the visit
    never existed.

    Raises:
        Refused: `legal_hold`.
        Transient: the store is not available.
    """

    async def attempt() -> Deletion | None:
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
            # A backup may have restored the visit as it was before its legal hold: the mark is
            # newer.
            if await services.deletions.hold_of(visit_id) is not None:
                raise Refused(RefusalCode.LEGAL_HOLD) from None
            raise
        with logs.about(visitId=visit_id, trace=stored.visit.trace):
            logs.event("visit_deleted")
            await _forget_tasks(services, stored.visit)
        return deletion

    return await until_saved(attempt)


@dataclass
class Sweep:
    """The result of one sweep: `documents` deleted in the store, and deletions `outside` of it.

    `again_after` is the time of the next sweep, set when something could not be deleted now.
    """

    documents: Mapping[str, int] = field(default_factory=dict)
    outside: Counter[str] = field(default_factory=Counter)
    again_after: timedelta | None = None

    def added_to(self, counts: Mapping[str, int]) -> dict[str, int]:
        """Return the counts of the deletion receipt with the counts of this sweep added.

        The deletion receipt counts the documents already, since none is written after a deletion.
        """
        most = {kind: max(counts.get(kind, 0), found) for kind, found in self.documents.items()}
        outside = {kind: counts.get(kind, 0) + found for kind, found in self.outside.items()}
        return {**counts, **most, **outside}


async def sweep(services: Services, visit_id: str) -> None:
    """Delete the remaining data of a deleted visit and count it; plan another sweep if needed.

    Raises:
        Transient: the deletion receipt cannot be saved.
    """
    found = await services.deletions.get(visit_id)
    if found is None or found[0].wake_at is None:
        return
    deletion, version = found
    now = services.clock.now()
    done = await _swept(services, deletion, now)
    wanted = _after(deletion, done, now)

    async def attempt() -> bool:
        nonlocal version, wanted
        try:
            await services.deletions.save(version, wanted)
        except Conflict:
            found = await services.deletions.get(visit_id)
            if found is None or found[0] == wanted:
                return False  # our own save succeeded, but its response was lost
            # Another sweep or recording saved first, and decides whether another sweep is needed.
            logs.event("deletion_swept_by_another")
            later, version = found
            wanted = later.model_copy(update={"counts": done.added_to(later.counts)})
            raise
        return wanted.completed_at is not None

    if await until_saved(attempt):
        logs.event("deletion_completed")
        await services.admission.gone(visit_id)


async def _swept(services: Services, deletion: Deletion, now: datetime) -> Sweep:
    """Delete everything that can be deleted now.

    Copies at the provider stay until every worker has stopped. A worker looks for a job before
    paying, and orders another paid job if it does not find one.
    """
    done = Sweep()
    try:
        if await services.store.get(deletion.visit_id) is not None:
            await begin_deletion(services, deletion.visit_id)  # a backup has restored the visit
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
        done.again_after = max(SWEEP_AGAIN_AFTER, timedelta(seconds=asked_s or 0))
    # The restored visit is under legal hold: the sweep waits for the release.
    except Refused as held:
        logs.failure("deletion_not_finished", held)
        done.again_after = SWEEP_AGAIN_AFTER
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
    """Delete the summary task. A task that remains finds no visit and does nothing."""
    try:
        await services.tasks.forget(visit.visit_id, visit.attempt, visit.requests)
    except Transient as error:
        logs.failure("task_not_forgotten", error)


async def delete_remains(services: Services, visit_id: str, user_id: str) -> bool:
    """Plan a sweep of a deleted visit if it still has documents or recordings.

    Returns whether it has any.

    A backup may restore documents or recordings of a visit without the visit itself.

    Raises:
        Transient: the store or the bucket is not available.
    """
    folder = recordings_folder(user_id, visit_id)

    async def attempt() -> bool:
        found = await services.deletions.get(visit_id)
        bucket = (found[0].bucket if found else None) or services.policy.bucket
        in_bucket = bucket is not None and await services.audio.has(bucket, folder)
        if not in_bucket and not await services.deletions.remains(visit_id):
            return False
        now = services.clock.now()
        if found is not None:
            again = {"wake_at": now, "completed_at": None, "bucket": bucket}
            await services.deletions.save(found[1], found[0].model_copy(update=again))
            return True
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
        return True

    return await until_saved(attempt)


def _joined(earlier: Deletion, again: Deletion) -> Deletion:
    """Return the deletion receipt of a visit deleted twice, with the counts of both deletions."""
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
        settled_at=max(now + SETTLED_AFTER, held_until + LEASE_GRACE),
        wake_at=now,
        bucket=audio.bucket if audio else None,
        folder=recordings_folder(visit.user_id, visit.visit_id),
        transcript_ids=tuple(dict.fromkeys(ids)),
        counts={
            "visits": 1,
            "history": visit.history_length,
            "transcript": visit.transcript_pages,
            "actions": len(visit.action_ids),
            "deadLetters": int(dead_letter_of(None, visit, now) is not None),
        },
    )
