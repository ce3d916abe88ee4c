"""What must hold when nothing happens any more."""

from collections import Counter
from typing import Final

from lumimd.ports import Transcribed
from lumimd.records import ProcessingStatus, Status, Visit
from lumimd.resilience.backoff import MAX_TRIES
from lumimd.transcript import joined
from tests.simulation.cloud import Cloud
from tests.simulation.erasure import Erasure
from tests.simulation.model import Answer
from tests.simulation.phones import Phones, path_of
from tests.simulation.promises import Promises
from tests.simulation.saves import generation_of, is_transcribed
from tests.simulation.transcription import OrderedJob
from tests.simulation.words import spoken_of
from tests.simulation.world import EXPIRES_AFTER, World

HARMLESS: Final = {"poison", "kills_measuring", "few_places", "rush"}
"""Faults that keep no visit from its end."""


class Endings:
    """Judges one world that has come to its end."""

    def __init__(self, world: World, cloud: Cloud, phones: Phones) -> None:
        self._world, self._cloud, self._phones = world, cloud, phones
        self._promises = Promises(world, phones)
        self._erasure = Erasure(world, cloud)

    def at_the_end(self) -> None:
        """Check orders, bills, copies, places, and each visit."""
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
                is_transcribed(stored.visit)
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
        if generation_of(visit) != newest:
            breach("lostUploads", visit_id, f"{generation_of(visit)} of {newest}")
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
        if is_transcribed(visit):
            said = {spoken_of(utterance.text)[:2] for utterance in utterances}
            wanted = (visit.visit_id, generation_of(visit))
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
            f"{visit.visit_id} {generation_of(visit)} {n}" for n in range(len(visit.action_ids))
        ]
        if [action.text for action in found] != wanted or (
            tuple(action.action_id for action in found) != visit.action_ids
        ):
            self._world.breach(
                "duplicateActionItems", visit.visit_id, str([action.text for action in found])
            )
        if visit.summary != f"{visit.visit_id} {generation_of(visit)}":
            self._world.breach("foreignSummary", visit.visit_id, str(visit.summary))


def _is_excused(answer: Answer) -> bool:
    """Whether an answer that was paid for may have got lost before it was saved."""
    return not answer.was_heard or answer.invocation.hits(answer.visit_id) > answer.faults_before
