"""What must hold, at every save and at the end."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Final

from lumimd import visit as table
from lumimd.commands import RETRY_GAP
from lumimd.commit import Commit
from lumimd.errors import ErrorCode
from lumimd.fallback import GIVE_UP_AFTER, PROVISIONAL_AFTER
from lumimd.ports import Transcribed
from lumimd.records import ProcessingStatus, Status, Visit
from lumimd.resilience.backoff import MAX_TRIES
from lumimd.transcript import joined
from tests.simulation.cloud import Cloud
from tests.simulation.erasure import Erasure
from tests.simulation.faults import Dependency
from tests.simulation.invocation import Invocation, current
from tests.simulation.model import Answer
from tests.simulation.phones import Phones, path_of
from tests.simulation.promises import Promises
from tests.simulation.transcription import OrderedJob
from tests.simulation.words import spoken_of
from tests.simulation.world import EXPIRES_AFTER, START, World

LEGAL_STEPS: Final = frozenset(
    (source, event.name, transition.to) for (source, event), transition in table.TRANSITIONS.items()
)
"""As the table was before anybody tampered with it."""

HARMLESS: Final = {"poison", "few_places", "rush"}
"""Faults that keep no visit from its end."""

LONGEST_WAIT: Final = timedelta(hours=8)
"""Recordings may take four hours, and the store may be away for two."""

_UNAVAILABLE: Final = (ErrorCode.TRANSCRIPTION_UNAVAILABLE, ErrorCode.SUMMARY_UNAVAILABLE)


class Invariants:
    """Watches one world; `breach` of the world says what broke."""

    def __init__(self, world: World, cloud: Cloud, phones: Phones) -> None:
        self._world, self._cloud, self._phones = world, cloud, phones
        self._promises = Promises(world, phones)
        self._erasure = Erasure(world, cloud)
        self.ended_at: dict[str, float] = {}
        self.history: Counter[str] = Counter()
        self._ordered: set[tuple[str, str]] = set()
        self._only_looked: set[tuple[str, str]] = set()
        self._claims: dict[tuple[str, int], list[Invocation]] = {}
        self._probes: dict[str, set[tuple[str, str | None, str]]] = {}
        self._in_line_since: dict[str, datetime] = {}
        self._admitted: set[tuple[str, str | None, str]] = set()
        world.on_saved.append(self._at_save)
        world.on_call.append(self._at_call)

    def _at_save(self, before: Visit | None, commit: Commit) -> None:
        visit, breach = commit.visit, self._world.breach
        visit_id = visit.visit_id
        self._world.note("store", visit_id, "SAVED", visit)
        is_terminal = visit.processing_status.is_terminal
        if is_terminal:
            self.ended_at.setdefault(visit_id, self._world.loop._now)
            if visit.wake_at is not None:
                breach("wakeUpAfterTheEnd", visit_id)
        else:
            self.ended_at.pop(visit_id, None)
            if visit.wake_at is None and visit.audio is not None:
                breach("withoutWakeUp", visit_id)
        if visit_id in self._world.documents.receipts:
            breach("cameBack", visit_id)
        if before is not None:
            if visit.attempt < before.attempt or _generation(visit) < _generation(before):
                breach("attemptWentBack", visit_id, f"{before.attempt} to {visit.attempt}")
            if (
                _is_transcribed(before)
                and _generation(visit) == _generation(before)
                and (not _is_transcribed(visit))
            ):
                breach("lostTranscripts", visit_id, "it was there already")
            if visit.title != before.title and current.get().kind != "change":
                breach("ownersEditLost", visit_id, f"{before.title!r} to {visit.title!r}")
        self._check_history(before, commit)
        self._check_claims(before, commit)
        self._check_wait(before, visit)
        if visit.stage_tries < 0:
            breach("triesBelowZero", visit_id, str(visit.stage_tries))
        if commit.pages is not None:
            utterance = commit.pages[0].utterances[0]
            said_in, generation, _ = spoken_of(utterance.text)
            if (said_in, generation) != (visit_id, _generation(visit)):
                breach("foreignTranscript", visit_id, utterance.text)
        dead = f"deadLetters/{visit_id}" in self._world.documents.others
        if dead is not _concerns_operators(visit):
            breach("deadLetters", visit_id, f"{visit.processing_status}, dead letter: {dead}")
        self._check_times(before, visit)

    def _check_times(self, before: Visit | None, visit: Visit) -> None:
        """Nobody is retried too soon, and nothing expires too early."""
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

    def _check_claims(self, before: Visit | None, commit: Commit) -> None:
        visit, now = commit.visit, self._world.now()
        before = before or visit
        events = {entry.event for entry in commit.entries}
        takes = events & {"submission_claimed", "summary_claimed"}
        if (
            before is not visit
            and before.attempt == visit.attempt
            and before.is_claimed(now)
            and (takes or "summary_requested" in events)
        ):
            self._world.breach("liveClaimTaken", visit.visit_id, f"by {current.get().name}")
        holders = self._claims.setdefault((visit.visit_id, visit.attempt), [])
        if "summary_claimed" in takes:
            self._check_shown(before, holders)
        if before.processing_status is not visit.processing_status:
            if visit.processing_status is ProcessingStatus.FAILED:
                self._check_tries(visit, holders)
            holders.clear()
        if takes:
            holders.append(current.get())
        work = (current.get().name, visit.visit_id)
        if "submission_deferred" in events and work not in self._ordered:
            self._only_looked.add(work)

    def _check_wait(self, before: Visit | None, visit: Visit) -> None:
        """Who stands in line is called as soon as jobs before it have ended."""
        now = self._world.now()
        if visit.turn is not None:
            self._in_line_since.setdefault(visit.visit_id, now)
        elif before is not None and before.turn is not None:
            waited = now - self._in_line_since.get(visit.visit_id, now)
            if waited > LONGEST_WAIT:
                self._world.breach("waitedTooLong", visit.visit_id, f"{waited}")
        if visit.processing_status is not ProcessingStatus.PENDING or (
            before is not None and before.attempt != visit.attempt
        ):
            self._in_line_since.pop(visit.visit_id, None)

    def _check_tries(self, visit: Visit, holders: list[Invocation]) -> None:
        """Who gives up has tried; waiting for a dependency that is down uses up no try."""
        assert visit.processing_error is not None
        if visit.processing_error.code not in _UNAVAILABLE or visit.timings is None:
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
                "triesUsedUpByWaiting", visit.visit_id, f"{tries} of {len(holders)} claims failed"
            )

    def _check_shown(self, visit: Visit, holders: list[Invocation]) -> None:
        """While the model stays away, people are shown what rules can tell."""
        if not holders or visit.source is not None or visit.transcription is None:
            return
        last, done_at = holders[-1], visit.transcription.completed_at
        if done_at is None or not last.is_over or last.is_dead or last.timed_out:
            return
        since = START + timedelta(seconds=last.began_at) - done_at
        if since > PROVISIONAL_AFTER and visit.visit_id not in last.disturbed:
            self._world.breach("nothingShown", visit.visit_id, f"{last.name} after {since}")

    def _at_call(
        self, invocation: Invocation, dependency: Dependency, operation: str, visit_id: str | None
    ) -> None:
        """Of a provider whose breaker is not closed, only the elected probe may ask.

        To have a copy deleted goes past the breaker: nobody waits for it, and it is asked for once.
        """
        if operation == "delete":
            return
        if operation == "submit" and visit_id is not None:
            self._ordered.add((invocation.name, visit_id))
        call = (invocation.name, visit_id, dependency.value)
        if call in self._admitted:
            return  # it repeats what it was let in for, maybe before the breaker opened
        self._admitted.add(call)
        breaker = self._cloud.breakers.known_to_all(dependency.value)
        if breaker is None or breaker.probe is None:
            return
        if self._cloud.breakers.is_in_trouble(invocation.instance):
            return  # it could not know: who cannot read the breaker's store calls all the same
        asked = self._probes.setdefault(breaker.probe.holder, set())
        asked.add(call)
        if len(asked) > 1:
            names = ", ".join(sorted(name for name, *_ in asked))
            self._world.breach("severalProbes", visit_id, f"{dependency}: {names}")

    def _check_history(self, before: Visit | None, commit: Commit) -> None:
        position = before.history_length if before else 0
        status = before.processing_status if before else ProcessingStatus.PENDING
        for entry in commit.entries:
            self.history[entry.event] += 1
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

    def at_the_end(self) -> None:
        """Check what can be judged only when nothing happens any more."""
        bills: dict[tuple[str, int], list[OrderedJob]] = {}
        orders: Counter[tuple[str, int]] = Counter()
        for job in self._cloud.transcriptions.jobs.values():
            orders[job.visit_id, job.attempt] += 1
            if job.billed and not job.gone:
                bills.setdefault((job.visit_id, job.generation), []).append(job)
        for (visit_id, attempt), number in orders.items():
            if number > MAX_TRIES:
                self._world.breach("tooManyOrders", visit_id, f"{number} in attempt {attempt}")
        self._check_answers()
        self._check_copies()
        level = vars(self._world.options.level)
        if not {name for name, share in level.items() if share} - HARMLESS:
            self._check_all_completed()
        for holder in self._cloud.gate.holders():
            self._world.breach("placesLeaked", holder.rpartition("/")[0], holder)
        for visit_id in self._phones.visit_ids:
            self._check_end_of(visit_id, bills)
        self._erasure.at_the_end()

    def _check_copies(self) -> None:
        """The provider keeps no transcript that is safe with us; now and then it cannot be told.

        What somebody may still look for is left to the nightly reconciliation, which may have died.
        """
        jobs = self._cloud.transcriptions.jobs
        kept, deleted = 0, 0
        for stored in self._world.documents.visits.values():
            if (
                _is_transcribed(stored.visit)
                and stored.visit.transcription is not None
                and stored.visit.orders <= 1
            ):
                job = jobs[stored.visit.transcription.transcript_id]
                kept, deleted = kept + job.is_there, deleted + job.deleted
        if kept > 10 and not deleted:
            self._world.breach("copiesKept", None, f"{kept}")

    def _check_all_completed(self) -> None:
        """Where nothing goes wrong but that somebody is away, people wait, and that is all."""
        for visit_id, stored in self._world.documents.visits.items():
            if stored.visit.status is not Status.COMPLETED:
                self._world.breach("outageCostAVisit", visit_id, stored.visit.status)

    def _check_answers(self) -> None:
        by_attempt: dict[tuple[str, int], list[Answer]] = {}
        for answer in self._cloud.model.answers:
            by_attempt.setdefault((answer.visit_id, answer.attempt), []).append(answer)
        for (visit_id, attempt), answers in by_attempt.items():
            # An answer is charged whether it is heard or not: nobody asks twice under one claim.
            under_one_claim = Counter(answer.invocation.name for answer in answers)
            if any(number > 1 for number in under_one_claim.values()):
                self._world.breach("tooManyModelCharges", visit_id, "several under one claim")
            # One probe a minute, in all, is made for everybody while the model is known to be down;
            # and one try more than others has the visit that the breaker opened for.
            # And an instance that had to end uses up no try.
            own = sum(
                not answer.is_probe and not answer.invocation.instance.shutdown.has_begun
                for answer in answers
            )
            if own > MAX_TRIES + 1:
                self._world.breach("tooManyModelCharges", visit_id, f"{own} in attempt {attempt}")
            for earlier in answers[:-1]:
                if not _is_excused(earlier):
                    self._world.breach(
                        "duplicateModelCharges",
                        visit_id,
                        f"attempt {attempt}: the answer to {earlier.invocation.name} was heard",
                    )

    def _check_end_of(self, visit_id: str, bills: dict[tuple[str, int], list[OrderedJob]]) -> None:
        world, breach = self._world, self._world.breach
        stored = world.documents.get(visit_id)
        newest = self._cloud.bucket.newest.get(path_of(visit_id), 0)
        if stored is None:
            if newest and visit_id not in world.documents.receipts:
                breach("lostUploads", visit_id, "there is no visit")
            return
        visit = stored.visit
        if _generation(visit) != newest:
            breach("lostUploads", visit_id, f"{_generation(visit)} of {newest}")
            return
        if not visit.processing_status.is_terminal:
            breach("stuck", visit_id, visit.processing_status)
            return
        patient = world.policy.expires_after == EXPIRES_AFTER
        if patient and visit.status is Status.EXPIRED and visit.audio is not None:
            breach("stuck", visit_id, "nobody went on with it until it expired")
        self._promises.at_the_end(visit)
        self._check_transcript(visit, bills.get((visit_id, newest), []))
        if visit.processing_status is ProcessingStatus.COMPLETED:
            self._check_actions(visit)

    def _check_transcript(self, visit: Visit, billed: list[OrderedJob]) -> None:
        pages = self._world.documents.pages.get(visit.visit_id, {})
        utterances = joined(pages.values())
        if _is_transcribed(visit):
            said = {spoken_of(utterance.text)[:2] for utterance in utterances}
            wanted = (visit.visit_id, _generation(visit))
            if said != {wanted} or len(pages) != visit.transcript_pages:
                self._world.breach(
                    "lostTranscripts", visit.visit_id, f"stored: {said or 'nothing'}"
                )
        elif visit.status not in (Status.CANCELLED, Status.EXPIRED):
            words = [
                job
                for job in billed
                if isinstance(job.state, Transcribed) and not job.state.transcript.is_silent
            ]
            if words:
                self._world.breach(
                    "lostTranscripts",
                    visit.visit_id,
                    f"{words[0].transcript_id} is paid for, and the visit is {visit.status}",
                )

    def _check_actions(self, visit: Visit) -> None:
        found = self._world.documents.actions_of(visit.visit_id)
        wanted = [
            f"{visit.visit_id} {_generation(visit)} {n}" for n in range(len(visit.action_ids))
        ]
        if [action.text for action in found] != wanted or (
            tuple(action.action_id for action in found) != visit.action_ids
        ):
            self._world.breach(
                "duplicateActionItems", visit.visit_id, str([action.text for action in found])
            )
        if visit.summary != f"{visit.visit_id} {_generation(visit)}":
            self._world.breach("foreignSummary", visit.visit_id, str(visit.summary))

    def minutes_to_terminal(self) -> list[float]:
        """From the first delivery of the last recording's event to the end, for each visit."""
        minutes = []
        for visit_id, ended_at in self.ended_at.items():
            stored = self._world.documents.get(visit_id)
            if stored is None or stored.visit.timings is None:
                continue
            began = stored.visit.timings.processing_started_at
            minutes.append((ended_at - (began - START).total_seconds()) / 60)
        return minutes

    def statuses(self) -> Counter[str]:
        """How many visits ended how."""
        found = (self._world.documents.get(visit_id) for visit_id in self._phones.visit_ids)
        return Counter(stored.visit.status.value for stored in found if stored)


def _generation(visit: Visit) -> int:
    return visit.audio.generation if visit.audio else 0


def _concerns_operators(visit: Visit) -> bool:
    """Whether it failed; who waits for its owner (for consent, for a recording) has not."""
    if visit.processing_status is not ProcessingStatus.FAILED or visit.audio is None:
        return False
    error = visit.processing_error
    return error is None or error.code is not ErrorCode.CONSENT_MISSING


def _is_transcribed(visit: Visit) -> bool:
    return visit.transcription is not None and visit.transcription.completed_at is not None


def _is_excused(answer: Answer) -> bool:
    """Whether an answer that was paid for may have got lost before it was saved."""
    return not answer.was_heard or answer.invocation.hits(answer.visit_id) > answer.faults_before
