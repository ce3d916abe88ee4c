"""Owners complete, edit and date action items at any moment; new summaries keep the changes."""

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Final

from lumimd.domain.commit import Commit
from lumimd.domain.visit import Action, Visit
from tests.simulation.world import World

SHARE: Final = 0.7
"""Share of the summaries whose action items the owner works on."""

WITHIN_S: Final = (1.0, 60.0, 7200.0)
"""Possible time (seconds) from a stored summary until the owner works on an action item."""

AT_ONCE_S: Final = (0.01, 0.1)
"""Possible time (seconds) until the owner works on an item while a summary is being saved."""

TIMES_AT_ONCE: Final = 2
"""Limit of the owner's edits during a save, which may lose more compare-and-set races."""

MARKS: Final = ("text", "completed", "due_date")


class OwnersWork:
    """The owners' work in one simulation run (world), with its own source of random numbers."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._rng = Random(world.seed + 4)
        self._marked: dict[str, Action] = {}
        self._at_once: Counter[str] = Counter()
        self._restored: set[str] = set()
        world.on_saved.append(self._at_save)
        world.documents.on_items_read = self._at_reading

    def _at_save(self, before: Visit | None, commit: Commit) -> None:
        visit = commit.visit
        if visit.visit_id in self._world.documents.restored - self._restored:
            self._forget(visit.visit_id)
        for marked in [each for each in self._marked.values() if each.visit_id == visit.visit_id]:
            self._check(marked)
        if any(entry.event == "summary_stored" for entry in commit.entries):
            del self._at_once[visit.visit_id]
            self._works_within(WITHIN_S, visit.action_ids)

    def _at_reading(self, visit_id: str) -> None:
        """Let the owner edit, now that a worker has read the items and will save a new summary."""
        self._at_once[visit_id] += 1
        if self._at_once[visit_id] > TIMES_AT_ONCE:
            return
        found = self._world.documents.actions_of(visit_id)
        self._works_within(AT_ONCE_S, [each.action_id for each in found])

    def _forget(self, visit_id: str) -> None:
        """Forget the owner's edits, because a restored backup has undone them."""
        self._restored.add(visit_id)
        of_backup = [name for name, each in self._marked.items() if each.visit_id == visit_id]
        for name in of_backup:
            del self._marked[name]

    def _works_within(self, within_s: Sequence[float], action_ids: Sequence[str]) -> None:
        if self._rng.random() < SHARE:
            for action_id in action_ids:
                seconds = self._rng.choice(within_s) * self._rng.random()
                self._world.after(seconds, self._work_on, action_id)

    def _work_on(self, action_id: str) -> None:
        """Change an action item without its visit, as the security rules allow."""
        actions, now = self._world.documents.actions, self._world.now()
        action = actions.get(action_id)
        if action is None:
            return
        kind = self._rng.choice(MARKS)
        mark = {"text": f"{action.text} edited", "completed": True, "due_date": now}[kind]
        self._marked[action_id] = actions[action_id] = action.model_copy(update={kind: mark})
        self._world.note("owner", action.visit_id, "works on", kind)

    def _check(self, marked: Action) -> None:
        found = self._world.documents.actions.get(marked.action_id)
        lost = "the item" if found is None else ""
        if found is not None:
            lost = ", ".join(
                field
                for field in MARKS
                if getattr(found, field) != getattr(marked, field)
                and (field != "text" or marked.text.endswith("edited"))
            )
        if lost:
            self._world.breach("ownersWorkLost", marked.visit_id, f"{marked.action_id}: {lost}")
