"""Erase recordings that arrive for a deleted visit or user."""

from lumimd.domain.audio import Upload
from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Conflict
from lumimd.domain.errors import Transient
from lumimd.domain.paths import recordings_folder
from lumimd.domain.visit import Deletion
from lumimd.pipeline.erase import erasure_of
from lumimd.pipeline.services import Services
from lumimd.telemetry import logs


async def was_deleted(services: Services, upload: Upload) -> bool:
    """Return whether the recording belongs to a deleted visit or user; if so, plan a sweep.

    Raises:
        Transient: the store is not available.
    """
    found = await services.deletions.get(upload.visit_id)
    if found is None:
        return await was_erased(services, upload)
    logs.event("upload_of_a_deleted_visit")
    deletion, version = found
    # Save in any case: a running sweep may have passed the recording already, so that its own save
    # must lose the race.
    changes = {
        "bucket": upload.audio.bucket,
        "wake_at": services.clock.now(),
        "completed_at": None,
    }
    try:
        await services.deletions.save(version, deletion.model_copy(update=changes))
    except Conflict as error:
        raise Transient(ErrorCode.INTERNAL_ERROR) from error
    return True


async def was_erased(services: Services, upload: Upload) -> bool:
    """Return whether the user was deleted after the upload; if so, plan a sweep.

    Raises:
        Transient: the store is not available.
    """
    found = await erasure_of(services, upload.user_id)
    uploaded_at = upload.announced_at
    if found is None or uploaded_at is None or uploaded_at > found.requested_at:
        return False
    logs.event("upload_of_a_deleted_user")
    now = services.clock.now()
    receipt = Deletion(
        visit_id=upload.visit_id,
        user_id=upload.user_id,
        requested_at=found.requested_at,
        settled_at=now,
        wake_at=now,
        bucket=upload.audio.bucket,
        folder=recordings_folder(upload.user_id, upload.visit_id),
    )
    try:
        await services.deletions.create(receipt)
    except Conflict:
        return await was_deleted(services, upload)  # the visit has its own deletion receipt
    return True
