"""Simulates documents of a newer release that was rolled back or runs beside this release.

The level of faults has these shares:

    unreadable   of the visits: for hours no instance can read the visit, its pages or its deletion
                 receipt
    mixed        of the simulation runs (worlds): half of the instances run a newer release
    newer_value  of the saves of a newer instance: older instances can no longer read that visit
    broken_part  of the worlds: for hours one part of the scheduled run raises an unforeseen error

Readable visits continue undisturbed. No release overwrites an unreadable visit, which resumes when
it is readable again.
"""

from random import Random
from typing import Final

from lumimd.domain.commit import Commit
from lumimd.domain.visit import Visit
from tests.simulation.cloud import Cloud
from tests.simulation.invocation import current
from tests.simulation.phones import Phones
from tests.simulation.world import START, World

HOUR_S: Final = 3600.0

LONGEST_S: Final = 4 * HOUR_S
"""Longest time that documents are unreadable, shorter than the longest wait in the fair queue."""

OTHERS_WITHIN_S: Final = 2 * HOUR_S
"""Time limit of other visits: sixty visits with six permits and no other fault take less."""

AFTERWARDS_S: Final = 3 * HOUR_S
"""Time limit after a visit is readable again, because its next check may be hours away."""


class Releases:
    """Decides which instances of a world can read which documents at a given time."""

    def __init__(self, world: World, cloud: Cloud, phones: Phones) -> None:
        self._world, self._cloud, self._phones = world, cloud, phones
        self._rng = Random(world.seed + 3)
        self._until: dict[str, float] = {}
        self._ended_at: dict[str, float] = {}
        self._is_mixed = world.faults.chance("mixed")
        world.documents.on_unreadable = self._note_unreadable
        world.documents.can_read_all = self._is_newer
        world.on_saved.append(self._at_save)

    def plan(self) -> None:
        """Schedule rollbacks and their effects."""
        world = self._world
        for visit_id in self._phones.visit_ids:
            if world.faults.chance("unreadable"):
                begins = self._rng.uniform(0, 2000.0)
                ends = begins + self._rng.uniform(600.0, LONGEST_S)
                self._until[visit_id] = ends
                if self._rng.random() < 0.3:
                    pages = f"{visit_id}/transcript"
                    world.after(begins, world.documents.unreadable.add, pages)
                    world.after(ends, world.documents.unreadable.discard, pages)
                    continue
                world.after(begins, self._roll_back, visit_id)
                world.after(ends, self._roll_forward, visit_id)
        if world.faults.chance("broken_part"):
            begins = self._rng.uniform(0, 1000.0)
            world.after(begins, self._break, True)
            world.after(begins + LONGEST_S, self._break, False)
        if self._is_mixed:
            world.after(LONGEST_S, self._complete_rollout)

    def at_the_end(self) -> None:
        """Check the durations in a finished world, if the level has no other faults."""
        if not self._world.options.level.unreadable:
            return
        for visit_id, ended_at in self._ended_at.items():
            stored = self._world.documents.get(visit_id)
            if stored is None or stored.visit.timings is None:
                continue
            until = self._until.get(visit_id)
            if until is not None:
                if ended_at > until + AFTERWARDS_S + OTHERS_WITHIN_S:
                    late = f"{(ended_at - until) / 60:.0f} min"
                    self._world.breach("forgottenAfterwards", visit_id, late)
                continue
            began_at = (stored.visit.timings.processing_started_at - START).total_seconds()
            if ended_at - began_at > OTHERS_WITHIN_S:
                took = f"{(ended_at - began_at) / 60:.0f} min"
                self._world.breach("othersStopped", visit_id, took)

    def _roll_back(self, visit_id: str) -> None:
        """Make the visit unreadable, as after a rollback of a newer release that wrote it."""
        documents = self._world.documents
        if visit_id not in documents.visits and visit_id not in documents.receipts:
            del self._until[visit_id]
            return
        self._world.note("release", visit_id, "fault", "cannot be read any more")
        self._world.documents.written_by_another(visit_id)
        self._world.documents.unreadable.add(visit_id)

    def _roll_forward(self, visit_id: str) -> None:
        self._world.note("release", visit_id, "fault", "can be read again")
        self._world.documents.unreadable.discard(visit_id)

    def _break(self, is_broken: bool) -> None:
        self._world.note("release", None, "fault", f"the deletions are broken: {is_broken}")
        self._cloud.deletions.is_broken = is_broken

    def _complete_rollout(self) -> None:
        self._world.note("release", None, "fault", "all instances run the newer one")
        self._is_mixed = False
        self._world.documents.unreadable.clear()

    def _is_newer(self) -> bool:
        """Whether the current instance runs the newer release."""
        if not self._is_mixed:
            return False
        invocation = current.get(None)
        return invocation is not None and bool(invocation.instance.number % 2)

    def _note_unreadable(self, visit_id: str) -> None:
        """Count a fault, because the invocation may be unable to save a paid answer."""
        invocation = current.get(None)
        if invocation is not None:
            invocation.hit(visit_id)
            invocation.disturbed.add(visit_id)

    def _at_save(self, before: Visit | None, commit: Commit) -> None:
        visit_id, documents = commit.visit.visit_id, self._world.documents
        if visit_id in documents.unreadable and before is not None and not self._is_newer():
            self._world.breach("writtenOver", visit_id, "this release cannot read it")
        if commit.visit.processing_status.is_terminal:
            self._ended_at.setdefault(visit_id, self._world.loop.time())
        else:
            self._ended_at.pop(visit_id, None)
        if self._is_newer():
            documents.unreadable.discard(visit_id)
            if self._world.faults.chance("newer_value"):
                documents.unreadable.add(visit_id)
