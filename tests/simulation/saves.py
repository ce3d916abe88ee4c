"""Checks the invariants of every save of a visit."""

from datetime import datetime, timedelta
from operator import attrgetter
from typing import Final

from lumimd.domain import state_machine
from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Commit
from lumimd.domain.takes import newest_generation, takes_of
from lumimd.domain.transcript import Utterance, joined
from lumimd.domain.visit import ProcessingStatus, Status, Visit
from lumimd.policies.due import RETRY_GAP
from tests.simulation.invocation import current
from tests.simulation.words import heard_in
from tests.simulation.world import World

LEGAL_STEPS: Final = frozenset(
    (source, event.name, transition.to)
    for (source, event), transition in state_machine.TRANSITIONS.items()
)
"""The steps of the transition table, read at import, before a test removes a guard."""

LONGEST_WAIT: Final = timedelta(hours=8)
"""Longest wait in the fair queue; jobs may take four hours, and a store outage two hours."""

NEW_RESULTS: Final = ("summary_stored", "provisional_summary_stored")
RESULTS: Final = attrgetter(
    *("source", "summary", "summary_statements", "diagnoses", "medications", "action_ids")
)


class Saves:
    """Watches the saves of one simulation run (world)."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._queued_since: dict[str, datetime] = {}
        world.on_saved.append(self._at_save)

    def _at_save(self, before: Visit | None, commit: Commit) -> None:
        visit, breach = commit.visit, self._world.breach
        visit_id = visit.visit_id
        self._world.note("store", visit_id, "SAVED", visit)
        if visit.processing_status.is_terminal:
            if visit.wake_at is not None:
                breach("wakeUpAfterTheEnd", visit_id)
        elif visit.wake_at is None and visit.audio is not None:
            breach("withoutWakeUp", visit_id)
        documents = self._world.documents
        if visit_id in documents.receipts and visit_id not in documents.restored:
            breach("cameBack", visit_id)
        if before is not None:
            went_back = newest_generation(visit) < newest_generation(before)
            if visit.attempt < before.attempt or went_back:
                breach("attemptWentBack", visit_id, f"{before.attempt} to {visit.attempt}")
            if loss_of_transcript(before, visit):
                breach("lostTranscripts", visit_id, loss_of_transcript(before, visit))
            self._check_results(before, commit)
            if visit.title != before.title and current.get().kind != "change":
                breach("ownersEditLost", visit_id, f"{before.title!r} to {visit.title!r}")
        self._check_history(before, commit)
        self._check_wait(before, visit)
        if visit.stage_tries < 0:
            breach("triesBelowZero", visit_id, str(visit.stage_tries))
        if commit.pages is not None:
            self._check_pages(visit, joined(commit.pages))
        dead = f"deadLetters/{visit_id}" in self._world.documents.others
        if dead is not _concerns_operators(visit):
            breach("deadLetters", visit_id, f"{visit.processing_status}, dead letter: {dead}")
        self._check_times(before, visit)

    def _check_pages(self, visit: Visit, said: tuple[Utterance, ...]) -> None:
        """Check that the transcript pages hold the words of all files (takes), in order."""
        wanted = [(visit.visit_id, take.audio.generation) for take in visit.takes]
        if heard_in(said) != wanted or len({each.id for each in said}) != len(said):
            self._world.breach("foreignTranscript", visit.visit_id, f"{heard_in(said)}, {wanted}")

    def _check_results(self, before: Visit, commit: Commit) -> None:
        """Check that results change only by new results, or go with the words they cite."""
        visit, breach = commit.visit, self._world.breach
        made = any(each.event in NEW_RESULTS for each in commit.entries)
        replaced = before.audio is not None and any(
            take.audio.storage_path == before.audio.storage_path
            and take.audio.generation != before.audio.generation
            for take in takes_of(before)
        )
        gone = commit.pages is not None and replaced and visit.source is None
        if not made and not gone and RESULTS(visit) != RESULTS(before):
            breach("resultsDamaged", visit.visit_id, str([each.event for each in commit.entries]))
        at_its_end = visit.processing_status.is_terminal
        was_complete = before.kept is ProcessingStatus.COMPLETED
        if at_its_end and was_complete and visit.status is not Status.COMPLETED:
            breach("resultsDamaged", visit.visit_id, f"it is {visit.status}")

    def _check_times(self, before: Visit | None, visit: Visit) -> None:
        """Check that no visit is retried too soon or expires too early."""
        now = self._world.now()
        asked_at = before.last_retry_at if before else None
        if asked_at is not None and visit.last_retry_at not in (None, asked_at):
            consented_late = before is not None and before.consent != visit.consent
            if now - asked_at < RETRY_GAP and not consented_late:
                self._world.breach("retriedTooSoon", visit.visit_id, str(now - asked_at))
        error = visit.processing_error
        if (
            error is not None
            and error.code is ErrorCode.EXPIRED
            and visit.processing_error != (before and before.processing_error)
        ):
            timings = visit.timings
            began_at = timings.processing_started_at if timings else visit.created_at
            if now - began_at < self._world.policy.expires_after:
                self._world.breach("expiredEarly", visit.visit_id, str(now - began_at))

    def _check_wait(self, before: Visit | None, visit: Visit) -> None:
        """Check that a visit in the fair queue is admitted within `LONGEST_WAIT`."""
        now = self._world.now()
        if visit.turn is not None:
            self._queued_since.setdefault(visit.visit_id, now)
        elif before is not None and before.turn is not None:
            waited = now - self._queued_since.get(visit.visit_id, now)
            if waited > LONGEST_WAIT:
                self._world.breach("waitedTooLong", visit.visit_id, f"{waited}")
        if visit.processing_status is not ProcessingStatus.PENDING or (
            before is not None and before.attempt != visit.attempt
        ):
            self._queued_since.pop(visit.visit_id, None)

    def _check_history(self, before: Visit | None, commit: Commit) -> None:
        position = before.history_length if before else 0
        status = before.processing_status if before else ProcessingStatus.PENDING
        for entry in commit.entries:
            if entry.event == "provisional_summary_stored" and before and before.source:
                self._world.breach("provisionalTwice", commit.visit.visit_id, before.source)
            step = (entry.from_status, entry.event, entry.to_status)
            if step not in LEGAL_STEPS or entry.from_status is not status:
                self._world.breach("illegalTransitions", commit.visit.visit_id, str(step))
            if entry.position != position:
                self._world.breach("historyHasHoles", commit.visit.visit_id, str(entry.position))
            position, status = position + 1, entry.to_status
        if commit.visit.processing_status is not status or commit.visit.history_length != position:
            self._world.breach("illegalTransitions", commit.visit.visit_id, "without an entry")


def loss_of_transcript(before: Visit, after: Visit) -> str:
    """Describe the part of the transcript that a save lost; return "" if it lost nothing."""
    if before.has_transcript and not after.has_transcript:
        return "it was there already"
    kept = {take.audio.storage_path: take.audio.generation for take in takes_of(after)}
    lost = [
        take.audio.storage_path
        for take in takes_of(before)
        if kept.get(take.audio.storage_path, 0) < take.audio.generation
    ]
    return f"without {lost}" if lost else ""


def is_transcribed(visit: Visit) -> bool:
    """Whether the transcript of the visit's recording is stored."""
    return visit.transcription is not None and visit.transcription.completed_at is not None


def _concerns_operators(visit: Visit) -> bool:
    """Whether the visit failed for another reason than a missing consent or recording."""
    if visit.processing_status is not ProcessingStatus.FAILED or visit.audio is None:
        return False
    error = visit.processing_error
    return error is None or error.code is not ErrorCode.CONSENT_MISSING
