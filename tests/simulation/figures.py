"""Measures a simulation run (world): first-attempt success, durations, recovery times."""

from collections import Counter
from dataclasses import dataclass

from lumimd.domain.commit import Commit
from lumimd.domain.visit import Status, Visit
from tests.simulation.cloud import Cloud
from tests.simulation.invocation import Invocation, current
from tests.simulation.phones import Phones, path_of
from tests.simulation.world import START, World

TAKES = frozenset({"submission_claimed", "summary_claimed"})


class Course:
    """Counts the events of all visits and notes the end time of each visit."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ended_at: dict[str, float] = {}
        self.history: Counter[str] = Counter()
        world.on_saved.append(self._at_save)

    def _at_save(self, before: Visit | None, commit: Commit) -> None:
        self.history.update(entry.event for entry in commit.entries)
        if commit.visit.processing_status.is_terminal:
            self._ended_at.setdefault(commit.visit.visit_id, self._world.loop.time())
        else:
            self._ended_at.pop(commit.visit.visit_id, None)

    def minutes_to_terminal(self) -> list[float]:
        """Return the minutes from the first event of each visit's last recording to its end."""
        minutes = []
        for visit_id, ended_at in self._ended_at.items():
            stored = self._world.documents.get(visit_id)
            if stored is None or stored.visit.timings is None:
                continue
            began = stored.visit.timings.processing_started_at
            minutes.append((ended_at - (began - START).total_seconds()) / 60)
        return minutes


class Recovery:
    """Measures how long after the crash of a lease holder its visit makes progress again."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._holding: dict[str, Invocation] = {}
        self._crashed_at: dict[str, float] = {}
        self.longest_s = 0.0
        self.number = 0
        world.on_saved.append(self._at_save)
        world.on_kill.append(self._at_kill)

    def _at_save(self, before: Visit | None, commit: Commit) -> None:
        visit, now = commit.visit, self._world.loop.time()
        if before is not None and not commit.entries and before.lease == visit.lease:
            return  # an edit by the owner
        crashed_at = self._crashed_at.pop(visit.visit_id, None)
        if crashed_at is not None:
            self.number += 1
            self.longest_s = max(self.longest_s, now - crashed_at)
        if TAKES & {entry.event for entry in commit.entries}:
            self._holding[visit.visit_id] = current.get()
        else:
            self._holding.pop(visit.visit_id, None)

    def _at_kill(self, killed: Invocation) -> None:
        for visit_id, holder in self._holding.items():
            stored = self._world.documents.get(visit_id)
            if holder is killed and stored is not None and not _is_over(stored.visit):
                self._crashed_at.setdefault(visit_id, self._world.loop.time())


@dataclass(frozen=True)
class Success:
    """`at_once` of the `good` (flawless, not cancelled) recordings completed at first attempt."""

    good: int
    at_once: int


def success(world: World, cloud: Cloud, phones: Phones) -> Success:
    """Count good recordings, and the ones completed without a restart or an owner's retry."""
    good = at_once = 0
    for visit_id in phones.visit_ids:
        stored, path = world.documents.get(visit_id), path_of(visit_id)
        recording = path, cloud.bucket.newest.get(path, 0)
        if stored is None or recording[1] == 0 or stored.visit.status is Status.CANCELLED:
            continue
        if recording in cloud.bucket.flaws or recording in cloud.transcriptions.flawed:
            continue
        good += 1
        visit = stored.visit
        begun_anew = visit.retry_count or visit.restarts
        at_once += visit.status is Status.COMPLETED and not begun_anew
    return Success(good, at_once)


def _is_over(visit: Visit) -> bool:
    return visit.processing_status.is_terminal


def statuses(world: World, phones: Phones) -> Counter[str]:
    """Return the number of visits with each status."""
    found = (world.documents.get(visit_id) for visit_id in phones.visit_ids)
    return Counter(stored.visit.status.value for stored in found if stored)
