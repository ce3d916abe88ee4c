"""Once a day: what is in the bucket, at the provider and in the store is compared.

| found                                          | then                                           |
|------------------------------------------------|------------------------------------------------|
| a recording without a visit                    | its event was lost for good: it is accepted now |
| a recording of a deleted visit                 | it is erased                                   |
| a visit whose recording is gone                | reported; the next step that needs it says so  |
| a job whose transcript is stored, or not wanted | the provider's copy is deleted                 |
| a job that no visit knows                      | reported, and deleted                          |
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from lumimd import logs, pipeline
from lumimd.audio import Upload, named_in, recording_of
from lumimd.deletion import was_deleted
from lumimd.errors import Transient
from lumimd.parts import Parts
from lumimd.ports import KnownJob
from lumimd.records import ProcessingStatus, Visit
from lumimd.takes import generation_known

AT_HOUR: Final = 3
"""The hour of the day (UTC) at which the hourly run reconciles as well."""

WINDOW: Final = timedelta(hours=48)
"""How far back each daily run looks: twice as far as it would have to."""

SETTLED: Final = timedelta(hours=1)
"""What is younger may be under way."""


async def reconcile(parts: Parts) -> Mapping[str, int]:
    """Compare, mend what can be mended, and count what was found.

    Raises:
        Transient: one of the three is not available; tomorrow's run looks as far back.
    """
    now = parts.clock.now()
    found: Counter[str] = Counter()
    recordings = await _recordings(parts, now)
    await _adopt_orphans(parts, recordings, found)
    await _report_missing(parts, recordings, now, found)
    for job in await parts.transcriber.recent():
        await _settle_job(parts, job, found)
    logs.event("reconciled", count=sum(found.values()))
    return dict(found)


async def _recordings(parts: Parts, now: datetime) -> list[Upload]:
    bucket = parts.policy.bucket
    if bucket is None:
        return []
    listed = await parts.audio.uploads(bucket, now - WINDOW)
    return [each for each in listed if each.announced_at and each.announced_at < now - SETTLED]


async def _adopt_orphans(parts: Parts, recordings: Iterable[Upload], found: Counter[str]) -> None:
    for upload in recordings:
        with logs.about(visitId=upload.visit_id):
            stored = await parts.store.get(upload.visit_id)
            path, generation = upload.audio.storage_path, upload.audio.generation
            if stored is not None and generation_known(stored.visit, path) >= generation:
                continue
            if stored is None and await was_deleted(parts, upload):
                found["recordings_of_deleted_visits"] += 1
                continue
            logs.event("recording_without_a_visit", "warning")
            found["recordings_without_a_visit"] += 1
            # As if it had just been announced: its event was lost, which is not the owner's fault.
            await pipeline.accept(parts, upload.model_copy(update={"announced_at": None}))


async def _report_missing(
    parts: Parts, recordings: Iterable[Upload], now: datetime, found: Counter[str]
) -> None:
    there = {upload.audio.storage_path for upload in recordings}
    if parts.policy.bucket is None:
        return
    for visit in await parts.archive.between(now - WINDOW + SETTLED, now - SETTLED):
        if visit.audio is None or visit.audio_erased_at is not None:
            continue
        if visit.audio.storage_path not in there and not await _is_there(parts, visit):
            with logs.about(visitId=visit.visit_id):
                logs.event("visit_without_its_recording", "warning")
            found["visits_without_their_recording"] += 1


async def _is_there(parts: Parts, visit: Visit) -> bool:
    """Whether the recording is in the bucket after all; it may have come later than the visit."""
    assert visit.audio is not None
    folder = f"visits/{visit.user_id}/{visit.visit_id}/"
    return await parts.audio.has(visit.audio.bucket, folder)


async def _settle_job(parts: Parts, job: KnownJob, found: Counter[str]) -> None:
    path = named_in(job.audio_url, parts.policy.bucket)
    owner = recording_of(path) if path else None
    if owner is None or not job.is_over:
        return  # not one of our recordings, or still at work
    _, visit_id = owner
    with logs.about(visitId=visit_id):
        stored = await parts.store.get(visit_id)
        if stored is not None:
            if _may_be_looked_for(stored.visit, parts.clock.now()):
                return
        elif (deletion := await parts.deletions.get(visit_id)) is None:
            logs.event("job_without_a_visit", "warning")
            found["jobs_without_a_visit"] += 1
        elif deletion[0].completed_at is None:
            return  # its own sweep deletes the job, when whoever may look for it has stopped
        try:
            found["provider_copies_deleted"] += await parts.transcriber.delete(job.transcript_id)
        except Transient as error:
            logs.failure("provider_copy_kept", error)


def _may_be_looked_for(visit: Visit, now: datetime) -> bool:
    """Whether somebody may want the job: to fetch its transcript, or to see that it was ordered.

    Who looks for a job that is gone orders another one, and that is paid again. So it stays until
    whoever was at work when the transcript was stored, or the visit cancelled, has stopped.
    """
    if visit.refused_takes and now - visit.refused_takes[-1].at < SETTLED:
        return True
    if visit.transcription is not None and visit.transcription.completed_at is not None:
        return now - visit.transcription.completed_at < SETTLED
    if visit.processing_status is ProcessingStatus.CANCELLED:
        return now - visit.updated_at < SETTLED
    return True
