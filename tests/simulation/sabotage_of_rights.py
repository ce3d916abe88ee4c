"""Guards for rights over data: deletion, consent, legal hold, expiry."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from lumimd.domain import events
from lumimd.domain.audio import Upload
from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Commit, Conflict, Stored
from lumimd.domain.errors import Transient
from lumimd.domain.state_machine import Advance
from lumimd.domain.visit import Deletion, Visit
from lumimd.pipeline import accept, collect, commands, delete, reconcile
from lumimd.policies.lease import SUBMISSION
from lumimd.ports.paging import Page
from tests.simulation.guard import Guard, put
from tests.simulation.store import Documents
from tests.simulation.transcription import Transcriptions


def _create_despite_receipt(self: Documents, commit: Commit) -> Stored:
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


async def _has_receipt(services: Any, upload: Upload) -> bool:
    return await services.deletions.get(upload.visit_id) is not None


def _settled_at_once(services: Any, visit: Visit) -> Deletion:
    receipt = _of(services, visit)
    return receipt.model_copy(update={"settled_at": receipt.requested_at})


def _count_only_the_visit(services: Any, visit: Visit) -> Deletion:
    return _of(services, visit).model_copy(update={"counts": {"visits": 1}})


def _never_again(receipt: Deletion, done: delete.Sweep, now: Any) -> Deletion:
    done.again_after = None
    return _after(receipt, done, now)


async def _find_no_jobs(self: Transcriptions, bucket: str, folder: str) -> list[str]:
    return []


async def _keep(*args: Any) -> None:
    return None


async def _forget_at_once(services: Any, read: Stored, saved: Stored | None, job: Any) -> None:
    await _forget(services, _ordered_once(read), saved and _ordered_once(saved), job)


def _ordered_once(stored: Stored) -> Stored:
    return replace(stored, visit=stored.visit.model_copy(update={"possible_orders": 1}))


async def _delete_despite_hold(services: Any, visit_id: str) -> Deletion | None:
    stored = await services.store.get(visit_id)
    if stored is None:
        return await delete.begin_deletion(services, visit_id)
    receipt = _of(services, stored.visit)
    try:
        await services.deletions.begin(stored, receipt)
    except Conflict:
        return await delete.begin_deletion(services, visit_id)
    return receipt


async def _submit_without_consent(services: Any, upload: Upload, accepted: Advance) -> events.Event:
    lease = SUBMISSION.lease(services.new_id(), services.clock.now())
    return events.SubmissionClaimed(accepted.visit.attempt, lease)


async def _try_once(attempt: Any) -> Any:
    try:
        return await attempt()
    except Conflict as error:
        raise Transient(ErrorCode.INTERNAL_ERROR) from error


_begin, _save = Documents.begin_deletion, Documents.save_deletion
_of, _after = delete._of, delete._after
_forget = collect._forget_copy

RIGHTS: Final[Mapping[str, Guard]] = {
    "deleted-stays-deleted": Guard(
        "a late event of a recording does not create a deleted visit again",
        put((Documents, "create", _create_despite_receipt)),
    ),
    "deletion-precondition": Guard(
        "a deletion applies to the version that was read: not held, and with its counts",
        put((Documents, "begin_deletion", _delete_any_version)),
        level="erasing",
    ),
    "receipt-precondition": Guard(
        "no sweep overwrites the counts of another one, or a newly arrived recording",
        put((Documents, "save_deletion", _save_any_receipt)),
        level="erasing",
    ),
    "receipt-is-merged": Guard(
        "the deletions of a sweep are counted even if it lost a race",
        put((delete, "until_saved", _try_once)),
        level="erasing",
    ),
    "late-recordings-are-erased": Guard(
        "a recording that arrives after the deletion is erased as well",
        put((accept, "was_deleted", _has_receipt)),
    ),
    "second-sweep": Guard(
        "a job that was ordered just before the deletion is deleted as well",
        put((delete, "_of", _settled_at_once)),
    ),
    "deletion-goes-on": Guard(
        "a job that still runs is deleted later",
        put((delete, "_after", _never_again)),
    ),
    "deletion-is-due": Guard(
        "the sweep runs even if the worker that began the deletion crashed",
        put((Documents, "due_deletions", lambda self, now, limit, after: Page(()))),
    ),
    "orders-of-deleted-visits": Guard(
        "jobs that are not on record are found in the provider's list",
        put((Transcriptions, "jobs_below", _find_no_jobs)),
    ),
    "documents-are-counted": Guard(
        "the receipt also counts deletions without an answer",
        put((delete, "_of", _count_only_the_visit)),
    ),
    "copies-are-deleted": Guard(
        "the provider's copy is deleted once the transcript is stored",
        put((collect, "_forget_copy", _keep), (reconcile, "_settle_job", _keep)),
        level="none",
    ),
    "copies-are-kept-for-who-looks": Guard(
        "a worker that looks for a job before ordering finds it, even if its transcript is stored",
        put((collect, "_forget_copy", _forget_at_once)),
        level="searching",
    ),
    "legal-hold": Guard(
        "a visit under legal hold is not deleted",
        put(
            (commands, "begin_deletion", _delete_despite_hold),
            (Documents, "begin_deletion", _without_mark),
        ),
        level="erasing",
    ),
    "consent": Guard(
        "no recording is sent to a provider before the patient consents",
        put((accept, "_next_event", _submit_without_consent)),
    ),
    "retry-gap": Guard(
        "repeated requests for a retry within the gap are refused",
        put((commands, "_not_too_soon", lambda visit, now: None)),
    ),
}
