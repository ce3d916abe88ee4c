"""Check each lease (taken, given up, expired), and the provisional summary of a waiting visit."""

from datetime import timedelta
from typing import Final

from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Commit
from lumimd.domain.takes import takes_of
from lumimd.domain.timing import MAX_TRIES
from lumimd.domain.visit import ProcessingStatus, Visit
from lumimd.policies.waiting import GIVE_UP_AFTER, PROVISIONAL_AFTER
from tests.simulation.faults import Dependency
from tests.simulation.invocation import Invocation, current
from tests.simulation.model import Model, Rules
from tests.simulation.words import label
from tests.simulation.world import START, World

_UNAVAILABLE: Final = (ErrorCode.TRANSCRIPTION_UNAVAILABLE, ErrorCode.SUMMARY_UNAVAILABLE)


class Holders:
    """Watches the leases of one simulation run (world)."""

    def __init__(self, world: World, model: Model, rules: Rules) -> None:
        self._world = world
        self._model, self._rules = model, rules
        self._holders: dict[tuple[str, int], list[Invocation]] = {}
        self._ordered: set[tuple[str, str]] = set()
        self._only_looked: set[tuple[str, str]] = set()
        self._released_at: dict[str, float] = {}
        world.on_saved.append(self._at_save)
        world.on_call.append(self._at_call)

    def _at_call(
        self, invocation: Invocation, dependency: Dependency, operation: str, visit_id: str | None
    ) -> None:
        if operation == "submit" and visit_id is not None:
            self._ordered.add((invocation.name, visit_id))

    def _at_save(self, before: Visit | None, commit: Commit) -> None:
        visit, now = commit.visit, self._world.now()
        before = before or visit
        if before.legal_hold and not visit.legal_hold:
            self._released_at[visit.visit_id] = self._world.loop.time()
        events = {entry.event for entry in commit.entries}
        takes = events & {"submission_claimed", "summary_claimed"}
        if (
            before is not visit
            and before.attempt == visit.attempt
            and before.is_leased(now)
            and (takes or "summary_requested" in events)
        ):
            self._world.breach("liveClaimTaken", visit.visit_id, f"by {current.get().name}")
        holders = self._holders.setdefault((visit.visit_id, visit.attempt), [])
        if "summary_claimed" in takes:
            self._check_shown(before, holders)
        if before.processing_status is not visit.processing_status:
            if visit.processing_status is ProcessingStatus.FAILED:
                assert visit.processing_error is not None
                if visit.processing_error.code in _UNAVAILABLE:
                    self._check_tries(visit, holders)
            if "summary_stored" in events and visit.source == "rules" and not self._answered():
                self._check_tries(visit, holders)
            holders.clear()
        if takes:
            holders.append(current.get())
            current.get().leased[visit.visit_id] = visit.attempt
        work = (current.get().name, visit.visit_id)
        if "submission_deferred" in events and work not in self._ordered:
            self._only_looked.add(work)

    def _answered(self) -> bool:
        """Whether the model has answered this invocation (with a bad answer)."""
        return any(answer.invocation is current.get() for answer in self._model.answers[-100:])

    def _check_tries(self, visit: Visit, holders: list[Invocation]) -> None:
        """Check that a worker gave up only after failed tries; a wait for an outage is no try."""
        if visit.timings is None:
            return
        if self._world.now() - visit.timings.processing_started_at > GIVE_UP_AFTER:
            return
        tries = sum(
            (holder.is_dead or holder.hits(visit.visit_id) > 0)
            and (holder.name, visit.visit_id) not in self._only_looked
            for holder in holders
        )
        if tries < MAX_TRIES:
            self._world.breach(
                "triesUsedUpByWaiting", visit.visit_id, f"{tries} of {len(holders)} leases failed"
            )

    def _check_shown(self, visit: Visit, holders: list[Invocation]) -> None:
        """Check that the owner sees a provisional rule-based summary while the model is down."""
        if not holders or visit.source is not None or visit.transcription is None:
            return
        if visit.legal_hold:
            return  # the pipeline could not replace a provisional summary under the legal hold
        heard = label(take.audio.generation for take in takes_of(visit))
        if self._rules.has_nothing_to_say(visit.visit_id, heard):
            return
        last, done_at = holders[-1], visit.transcription.completed_at
        if last.began_at < self._released_at.get(visit.visit_id, 0.0):
            return  # this worker began under the legal hold
        if done_at is None or not last.is_over or last.is_dead or last.timed_out:
            return
        since = START + timedelta(seconds=last.began_at) - done_at
        if since > PROVISIONAL_AFTER and visit.visit_id not in last.disturbed:
            self._world.breach("nothingShown", visit.visit_id, f"{last.name} after {since}")
