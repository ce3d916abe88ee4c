"""Recordings that come for what was deleted: they bring nothing back, and go as well."""

from lumimd.domain.audio import Upload
from lumimd.domain.commit import Conflict
from lumimd.domain.errors import ErrorCode, Transient
from lumimd.domain.visit import Deletion
from lumimd.pipeline.erase import erasure_of
from lumimd.pipeline.services import Parts
from lumimd.telemetry import logs


async def was_deleted(parts: Parts, upload: Upload) -> bool:
    """Whether the recording belongs to a visit, or a user, that was deleted; then it goes, too.

    Raises:
        Transient: the store is not available.
    """
    found = await parts.deletions.get(upload.visit_id)
    if found is None:
        return await was_erased(parts, upload)
    logs.event("upload_of_a_deleted_visit")
    deletion, version = found
    # Saved in any case: a sweep that is under way may have passed the recording already, and must
    # not have the last word.
    changes = {
        "bucket": upload.audio.bucket,
        "wake_at": parts.clock.now(),
        "completed_at": None,
    }
    try:
        await parts.deletions.save(version, deletion.model_copy(update=changes))
    except Conflict as error:
        raise Transient(ErrorCode.INTERNAL_ERROR) from error
    return True


async def was_erased(parts: Parts, upload: Upload) -> bool:
    """Whether the user was deleted after the upload; a receipt then has the recording swept.

    Raises:
        Transient: the store is not available.
    """
    found = await erasure_of(parts, upload.user_id)
    uploaded_at = upload.announced_at
    if found is None or uploaded_at is None or uploaded_at > found.requested_at:
        return False
    logs.event("upload_of_a_deleted_user")
    now = parts.clock.now()
    receipt = Deletion(
        visit_id=upload.visit_id,
        user_id=upload.user_id,
        requested_at=found.requested_at,
        settled_at=now,
        wake_at=now,
        bucket=upload.audio.bucket,
        folder=f"visits/{upload.user_id}/{upload.visit_id}/",
    )
    try:
        await parts.deletions.create(receipt)
    except Conflict:
        return await was_deleted(parts, upload)  # the visit has a receipt of its own
    return True
