"""Legal holds, restored backups and account erasures: simulates them and checks invariants.

The level of faults has these shares:

    held      of the visits: an operator sets a legal hold, and later releases most of these visits
    restored  of the visits: an operator restores a deleted visit from a backup, wholly or in part
    erased    of the simulation runs (worlds): the owner erases the whole account at some moment

No stored document or recording of a visit under a legal hold changes or is deleted. At the end
every deleted visit is gone, and the pipeline has finished all work that waited for a release.
"""

from contextlib import suppress
from copy import copy
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Commit
from lumimd.domain.errors import Refused, Transient
from lumimd.domain.visit import Visit
from lumimd.operations import legal_hold
from lumimd.operations.after_restore import after_restore
from lumimd.operations.operator import Operator
from lumimd.pipeline import commands
from lumimd.pipeline.erase import erase, note_erasure
from lumimd.stores.operator_store import AuditEntry, VisitFilter
from tests.simulation.cloud import Cloud
from tests.simulation.phones import USER, Phones, folder_of
from tests.simulation.replying import reply_to_owner
from tests.simulation.world import START, World

HOUR_S: Final = 3600.0

REPEATED_S: Final = 26 * HOUR_S
"""The time at which operators repeat the deletions that were made after the backup."""

REPEATING_WITHIN: Final = timedelta(seconds=4)
"""Time limit of a call that repeats deletions; the next call continues."""

ERASED_WITHIN: Final = timedelta(hours=5)
"""Scheduled runs finish an account erasure within this time, also under heavy faults."""

BACKSTOP_S: Final = 30 * HOUR_S

OLD: Final = timedelta(hours=24)
"""Minimum age of an object that the bucket's lifecycle rule deletes. In production it is weeks, so
that the object's event was delivered before, or a nightly run has accepted the object."""

ERASING_WITHIN: Final = timedelta(milliseconds=500)

TRIES: Final = 40
MOST_TRIES: Final = 400
"""Limit of tries of a call on all visits, because few such calls succeed under heavy faults."""

STORED: Final = (
    *("title", "tags", "archived", "source", "summary", "summary_statements", "diagnoses"),
    *("medications", "imaging", "next_steps", "education", "transcript_pages"),
    *("takes", "refused_takes", "provisional", "consent"),
)
"""Fields of a visit that must not change under a legal hold once they are set."""


class NoAuditLog:
    """A stub of the operators' store that keeps no audit log; other tests check the log."""

    async def append_audit(self, entry: AuditEntry) -> None:
        """Do nothing."""

    async def complete_audit(self, entry: AuditEntry) -> None:
        """Do nothing."""

    async def visits(self, wanted: VisitFilter, limit: int, after: object = None) -> list[Any]:
        """Return no visit, because each simulated visit has its own deletion receipt."""
        return []


class Custody:
    """The operators of one world, and the invariants of visits that they hold or restore."""

    def __init__(self, world: World, cloud: Cloud, phones: Phones) -> None:
        self._world, self._cloud, self._phones = world, cloud, phones
        self._rng = Random(world.seed + 4)
        self._held: set[str] = set()
        self._released: set[str] = set()
        self._late: set[str] = set()
        self._asked: set[str] = set()
        self._backups: dict[str, dict[str, Any]] = {}
        self._repeated_until = START
        world.on_saved.append(self._at_save)

    def plan(self) -> None:
        """Schedule the operators' actions."""
        world, rng, chance = self._world, self._rng, self._world.faults.chance
        for visit_id in self._phones.visit_ids:
            if chance("held"):
                at = rng.uniform(0, 4 * HOUR_S) if rng.random() < 0.7 else rng.uniform(0, 900.0)
                self._at(at, self._hold, visit_id)
                for _ in range(rng.choice((0, 1, 1, 2))):
                    at += rng.choice((60.0, HOUR_S, 20 * HOUR_S)) * rng.random()
                    self._at(at, self._release, visit_id)
            if chance("restored"):
                backed_up = rng.uniform(600.0, 3 * HOUR_S)
                self._at(backed_up, self._back_up, visit_id)
                self._at(backed_up + rng.uniform(60.0, 20 * HOUR_S), self._restore, visit_id)
        if world.options.level.restored:
            self._at(REPEATED_S - 1.0, self._check_erased)  # before operators repeat deletions
            self._at(REPEATED_S, self._repeat)
        if chance("erased"):
            self._at(rng.uniform(600.0, 20 * HOUR_S), self._erase_everything)
        if world.options.level.held:
            self._at(BACKSTOP_S, self._backstop)

    def _at(self, when: float, action: Any, *args: Any) -> None:
        self._phones.last_action_at = max(self._phones.last_action_at, when)
        self._world.loop.call_at(when, lambda: action(*args))

    # -- actions of operators, repeated until they succeed ---------------------------------------

    def _hold(self, visit_id: str) -> None:
        self._asked.add(visit_id)
        held = lambda olga: legal_hold.hold(olga, visit_id, reason="case")  # noqa: E731
        self._do("hold", visit_id, held, lambda: self._promised(visit_id))

    def _promised(self, visit_id: str) -> None:
        self._asked.discard(visit_id)
        if visit_id in self._released:
            self._late.add(visit_id)
            return
        self._held.add(visit_id)
        stored = self._world.documents.visits.get(visit_id)
        if stored is not None and not stored.visit.legal_hold:
            self._world.breach("holdIgnored", visit_id)

    def _release(self, visit_id: str) -> None:
        self._held.discard(visit_id)
        self._released.add(visit_id)
        released = lambda olga: legal_hold.release(olga, visit_id, reason="closed")  # noqa: E731
        began_at = self._world.now()
        self._do("release", visit_id, released, lambda: self._ended(visit_id, began_at))

    def _ended(self, visit_id: str, began_at: datetime) -> None:
        """Check a release: the hold has ended, and a visit of an erased account is deleted."""
        stored = self._world.documents.visits.get(visit_id)
        if stored is None:
            return
        if stored.visit.legal_hold:
            if visit_id not in self._late | self._asked:
                self._world.breach("releaseIgnored", visit_id)
            return
        erased = self._world.documents.receipts.get(f"~{USER}")
        if erased is None or visit_id in self._world.documents.restored:
            return
        if stored.visit.created_at <= erased[0].requested_at < began_at:
            self._world.breach("erasedUserIsThere", visit_id, "after its release")

    def _repeat(self) -> None:
        def released_and_deleted(visit_id: str) -> Any:
            """Return work that releases a restored visit, and repeats the visit's deletion."""

            async def work(olga: Operator) -> None:
                await legal_hold.release(olga, visit_id, reason="closed")
                with suppress(Refused):
                    await commands.delete(olga.services, visit_id)

            return work

        async def repeat(olga: Operator) -> None:
            ends_at = olga.services.clock.now() + REPEATING_WITHIN
            found = await after_restore(olga, self._repeated_until, ends_at)
            for visit_id in found.held_deleted:  # the operators decide to end the hold
                self._held.discard(visit_id)
                self._released.add(visit_id)
                self._world.after(
                    1.0, self._do, "release", visit_id, released_and_deleted(visit_id)
                )
            if found.missed:
                raise Transient(ErrorCode.INTERNAL_ERROR)
            if found.resume_since is not None:
                self._repeated_until = found.resume_since
                self._world.after(1.0, self._repeat)

        self._do("after_restore", None, repeat)

    def _erase_everything(self) -> None:
        async def request(olga: Operator) -> None:
            """Do what `DELETE /v1/me` does, with a short time limit; scheduled runs then finish."""
            await note_erasure(olga.services, USER)
            await erase(olga.services, USER, olga.services.clock.now() + ERASING_WITHIN, asked=True)

        self._do("erase_everything", None, request)

    def _do(
        self, kind: str, visit_id: str | None, work: Any, done: Any = lambda: None, tries: int = 0
    ) -> None:
        world = self._world

        def on_reply(status: int) -> None:
            if status == 200:
                done()
            elif status != 409 and tries < (TRIES if visit_id else MOST_TRIES):
                world.after(120.0, self._do, kind, visit_id, work, done, tries + 1)

        def by_operator(instance: Any) -> Any:
            services = copy(instance)
            services.operators = NoAuditLog()
            return reply_to_owner(work(Operator("olga", services)))

        world.invoke(kind, by_operator, visit_id=visit_id, patience_s=300.0, on_reply=on_reply)

    # -- backups ---------------------------------------------------------------------------------

    def _back_up(self, visit_id: str) -> None:
        documents = self._world.documents
        stored = documents.visits.get(visit_id)
        letter = f"deadLetters/{visit_id}"
        if stored is not None:
            self._backups[visit_id] = {
                "visit": stored.visit,
                "pages": dict(documents.pages.get(visit_id, {})),
                "entries": dict(documents.entries.get(visit_id, {})),
                "actions": {each.action_id: each for each in documents.actions_of(visit_id)},
                "others": {
                    path: documents.others[path] for path in (letter,) if path in documents.others
                },
            }

    def _restore(self, visit_id: str) -> None:
        """Import the backup of a visit, if the visit was deleted after the backup."""
        documents, backup = self._world.documents, self._backups.get(visit_id)
        if backup is None or visit_id not in documents.receipts:
            return
        self._world.note("operator", visit_id, "restores a backup")
        documents.pages.setdefault(visit_id, {}).update(backup["pages"])
        documents.entries.setdefault(visit_id, {}).update(backup["entries"])
        documents.actions.update(backup["actions"])
        documents.others.update(backup["others"])
        visit: Visit = backup["visit"]
        if self._rng.random() < 0.6 and visit_id not in documents.visits:
            documents.restored.add(visit_id)
            documents._put(None, _paused(visit))

    def _backstop(self) -> None:
        """Run the bucket's lifecycle rule, which deletes old objects without an object hold."""
        bucket, documents = self._cloud.bucket, self._world.documents
        uploaded_by = self._world.now() - OLD
        for path in [path for path in bucket.there if path not in bucket.held]:
            uploaded_at = bucket.uploads_of[path].announced_at
            if uploaded_at is None or uploaded_at > uploaded_by:
                continue
            stored = documents.visits.get(path.split("/")[2])
            if stored is not None and stored.visit.processing_status.is_terminal:
                del bucket.there[path]
        self._check_recordings()

    # -- invariants ------------------------------------------------------------------------------

    def _at_save(self, before: Visit | None, commit: Commit) -> None:
        after = commit.visit
        if before is None or not before.legal_hold or not after.legal_hold:
            return  # the commit of a release may also begin the work that waited for it
        changed = [
            name
            for name in STORED
            if getattr(before, name) and getattr(after, name) != getattr(before, name)
        ]
        if before.transcript_pages and commit.pages is not None:
            changed.append("pages")
        written = {action.action_id for action in commit.actions or ()}
        removed = {path for path in commit.deletes() if path.startswith("actions/")}
        if removed or written & set(before.action_ids):
            changed.append("actions")
        if not set(before.action_ids) <= set(after.action_ids):
            changed.append("action_ids")
        if changed:
            events = [entry.event for entry in commit.entries]
            self._world.breach("heldChanged", after.visit_id, f"{changed} by {events}")

    def _check_recordings(self) -> None:
        bucket = self._cloud.bucket
        for visit_id in sorted(self._held):
            missing = set(bucket.paths_of(folder_of(visit_id))) - set(bucket.there)
            stored = self._world.documents.visits.get(visit_id)
            if missing and stored is not None and stored.visit.audio_erased_at is None:
                self._world.breach("heldRecordingGone", visit_id, str(sorted(missing)))

    def _check_erased(self, within: timedelta = ERASED_WITHIN) -> None:
        """Check that visits of an erased account are gone unless they are held or restored."""
        documents = self._world.documents
        erased = documents.receipts.get(f"~{USER}")
        if erased is None or erased[0].requested_at > self._world.now() - within:
            return
        for visit_id, stored in documents.visits.items():
            is_kept = stored.visit.legal_hold or visit_id in self._held | documents.restored
            if not is_kept and stored.visit.created_at <= erased[0].requested_at:
                self._world.breach("erasedUserIsThere", visit_id, "before a restore is repaired")

    def at_the_end(self) -> None:
        """Check that visits under a legal hold exist and that erased visits are gone."""
        documents = self._world.documents
        self._check_recordings()
        for visit_id in sorted(self._held):
            if visit_id not in documents.visits:
                self._world.breach("heldIsGone", visit_id)
        erased = documents.receipts.get(f"~{USER}")
        for visit_id, stored in documents.visits.items():
            visit = stored.visit
            if not visit.legal_hold and (visit.held_takes or visit.summary_owed):
                self._world.breach("waitsForNoRelease", visit_id)
            if erased is None or visit.legal_hold:
                continue
            if visit.created_at <= erased[0].requested_at:
                self._world.breach("erasedUserIsThere", visit_id)


def _paused(visit: Visit) -> Visit:
    """Return a restored visit whose scheduled work is paused until deletions are repeated."""
    until = START + timedelta(seconds=REPEATED_S + 16 * HOUR_S)
    due = {
        name: max(at, until)
        for name in ("wake_at", "overdue_at")
        if (at := getattr(visit, name)) is not None
    }
    return visit.model_copy(update={**due, "turn": None})
