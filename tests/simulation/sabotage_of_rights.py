"""Guards of the rights over data: deletion, consent, hold, expiry."""

from collections.abc import Mapping
from typing import Any, Final

from lumimd.domain import events
from lumimd.domain.audio import Upload
from lumimd.domain.commit import Commit, Conflict, Stored
from lumimd.domain.visit import Deletion, Visit
from lumimd.pipeline import accept, collect, commands, delete, reconcile
from lumimd.policies.lease import SUBMISSION
from tests.simulation.guard import Guard, put
from tests.simulation.store import Documents
from tests.simulation.transcription import Transcriptions


def _create_whatever(self: Documents, commit: Commit) -> Stored:
    if commit.visit.visit_id in self.visits:
        raise Conflict
    return self.write(commit)


def _delete_any_version(
    self: Documents, read: Stored, receipt: Deletion, again: object = None
) -> None:
    present = self.visits.get(receipt.visit_id)
    if present is None:
        raise Conflict
    _without_mark(self, present, receipt, again)


def _without_mark(self: Documents, read: Stored, receipt: Deletion, again: object = None) -> None:
    held = self.holds.pop(receipt.visit_id, None)
    try:
        _begin(self, read, receipt, again)
    finally:
        if held is not None:
            self.holds[receipt.visit_id] = held


def _save_any_receipt(self: Documents, read_version: object, receipt: Deletion) -> None:
    _, present = self.receipts[receipt.visit_id]
    _save(self, present, receipt)


async def _deleted_and_that_is_all(services: Any, upload: Upload) -> bool:
    return await services.deletions.get(upload.visit_id) is not None


def _settled_at_once(services: Any, visit: Visit) -> Deletion:
    receipt = _of(services, visit)
    return receipt.model_copy(update={"settled_at": receipt.requested_at})


def _counted_by_nobody(services: Any, visit: Visit) -> Deletion:
    return _of(services, visit).model_copy(update={"counts": {"visits": 1}})


def _done_whatever_is_left(receipt: Deletion, done: delete.Sweep, now: Any) -> Deletion:
    done.again_after = None
    return _after(receipt, done, now)


async def _nothing_below(self: Transcriptions, bucket: str, folder: str) -> list[str]:
    return []


async def _keep(*args: Any) -> None:
    return None


async def _forget_at_once(services: Any, visit: Visit, stored: Any) -> None:
    await _forget(services, visit.model_copy(update={"possible_orders": 1}), stored)


async def _delete_what_is_held(services: Any, visit_id: str) -> Deletion | None:
    stored = await services.store.get(visit_id)
    if stored is None:
        return await delete.begin_deletion(services, visit_id)
    receipt = _of(services, stored.visit)
    try:
        await services.deletions.begin(stored, receipt)
    except Conflict:
        return await delete.begin_deletion(services, visit_id)
    return receipt


async def _nobody_asks(services: Any, upload: Upload, visit: Visit) -> events.Event:
    return events.SubmissionClaimed(
        visit.attempt, SUBMISSION.lease(services.new_id(), services.clock.now())
    )


_begin, _save = Documents.begin_deletion, Documents.save_deletion
_of, _after = delete._of, delete._after
_forget = collect._forget_copy

RIGHTS: Final[Mapping[str, Guard]] = {
    "deleted-stays-deleted": Guard(
        "an event of its recording does not bring a deleted visit back",
        put((Documents, "create", _create_whatever)),
    ),
    "deletion-precondition": Guard(
        "what is deleted is the visit that was looked at: not held, and counted as it was",
        put((Documents, "begin_deletion", _delete_any_version)),
        level="erasing",
    ),
    "receipt-precondition": Guard(
        "of two sweeps none overwrites what the other has counted, nor a recording that came",
        put((Documents, "save_deletion", _save_any_receipt)),
        level="erasing",
    ),
    "receipt-is-merged": Guard(
        "what a sweep deleted is counted, also when it has lost a race",
        put((delete, "until_saved", lambda attempt: attempt())),
        level="erasing",
    ),
    "late-recordings-are-erased": Guard(
        "a recording that comes for a deleted visit goes, too",
        put((accept, "was_deleted", _deleted_and_that_is_all)),
    ),
    "second-sweep": Guard(
        "what a holder ordered with its last breath is deleted, too",
        put((delete, "_of", _settled_at_once)),
    ),
    "deletion-goes-on": Guard(
        "a job that still runs is deleted later",
        put((delete, "_after", _done_whatever_is_left)),
    ),
    "deletion-is-due": Guard(
        "who began a deletion may die, and the sweep comes all the same",
        put((Documents, "due_deletions", lambda self, now, limit: [])),
    ),
    "orders-of-deleted-visits": Guard(
        "jobs that are not on record are found in the provider's list",
        put((Transcriptions, "jobs_below", _nothing_below)),
    ),
    "documents-are-counted": Guard(
        "the receipt counts what was deleted although the answer was lost",
        put((delete, "_of", _counted_by_nobody)),
    ),
    "copies-are-deleted": Guard(
        "the provider keeps no transcript that is safe with us",
        put((collect, "_forget_copy", _keep), (reconcile, "_settle_job", _keep)),
        level="none",
    ),
    "copies-are-kept-for-who-looks": Guard(
        "who looks for a job before paying finds it, although its transcript is stored by now",
        put((collect, "_forget_copy", _forget_at_once)),
        level="searching",
    ),
    "legal-hold": Guard(
        "what must be kept is not deleted",
        put(
            (commands, "begin_deletion", _delete_what_is_held),
            (Documents, "begin_deletion", _without_mark),
        ),
        level="erasing",
    ),
    "consent": Guard(
        "nothing is sent to anybody before the patient agrees",
        put((accept, "_next_event", _nobody_asks)),
    ),
    "retry-gap": Guard(
        "who clicks a hundred times is served once",
        put((commands, "_not_too_soon", lambda visit, now: None)),
    ),
}
