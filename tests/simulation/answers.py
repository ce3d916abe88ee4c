"""Invariants of the model's answers: their number, and what they leave in the visit's documents."""

from lumimd.domain.errors import ErrorCode
from lumimd.domain.takes import takes_of
from lumimd.domain.timing import MAX_TRIES
from lumimd.domain.transcript import joined
from lumimd.domain.visit import ProcessingStatus, Stage, Status, Visit
from tests.simulation.cloud import Cloud
from tests.simulation.model import Answer
from tests.simulation.saves import is_transcribed
from tests.simulation.words import label
from tests.simulation.world import World

MOST_UNDER_ONE_CLAIM = 2
"""After a bad answer the model is asked once more; no other answer is asked for twice."""


class Answers:
    """Judges the answers of one world that has come to its end."""

    def __init__(self, world: World, cloud: Cloud) -> None:
        self._world, self._cloud = world, cloud

    def at_the_end(self) -> None:
        """Check how many answers were paid, in each attempt."""
        by_attempt: dict[tuple[str, int], list[Answer]] = {}
        for answer in self._cloud.model.answers:
            by_attempt.setdefault((answer.visit_id, answer.attempt), []).append(answer)
        for (visit_id, attempt), answers in by_attempt.items():
            by_claim: dict[str, list[Answer]] = {}
            for answer in answers:
                by_claim.setdefault(answer.invocation.name, []).append(answer)
            for name, those in by_claim.items():
                # An answer is charged whether it is heard or not: a worker asks twice under one
                # lease only after an answer that was heard and bad.
                if len(those) > MOST_UNDER_ONE_CLAIM or not all(
                    each.is_bad and each.was_heard for each in those[:-1]
                ):
                    detail = f"{len(those)} under the claim of {name}"
                    self._world.breach("tooManyModelCharges", visit_id, detail)
            # One probe a minute, in all, is made for everybody while the model is known to be down;
            # and one try more than others has the visit that the breaker opened for.
            # And an instance that had to end uses up no try.
            own = {
                answer.invocation.name
                for answer in answers
                if not answer.is_probe and not answer.invocation.instance.shutdown.has_begun
            }
            if len(own) > MAX_TRIES + 1:
                self._world.breach(
                    "tooManyModelCharges", visit_id, f"{len(own)} claims in attempt {attempt}"
                )
            for earlier in answers[:-1]:
                is_asked_again = earlier.is_bad and earlier is by_claim[earlier.invocation.name][0]
                if not is_asked_again and not _is_excused(earlier):
                    self._world.breach(
                        "duplicateModelCharges",
                        visit_id,
                        f"attempt {attempt}: the answer to {earlier.invocation.name} was heard",
                    )

    def check_end_of(self, visit: Visit) -> None:
        """Check what the answers have left of a visit that is at its end."""
        pages = self._world.documents.pages.get(visit.visit_id, {})
        said = {utterance.id for utterance in joined(pages.values())}
        shown = (*visit.summary_statements, *visit.education)
        if any(set(each.evidence) - said for each in shown):
            self._world.breach("unsupportedStatement", visit.visit_id)
        self._check_partial(visit)

    def _check_partial(self, visit: Visit) -> None:
        """A transcribed visit lacks a summary only where the rules have nothing to say.

        One of other words than are stored is none.
        """
        error = visit.processing_error
        heard = label(take.audio.generation for take in takes_of(visit))
        if (
            visit.processing_status is ProcessingStatus.FAILED
            and is_transcribed(visit)
            and error is not None
            and error.stage is Stage.SUMMARY
            and error.code is not ErrorCode.EXPIRED
            and visit.summary != f"{visit.visit_id} {heard}"
            and not self._cloud.rules.has_nothing_to_say(visit.visit_id, heard)
        ):
            self._world.breach("rulesWereNotAsked", visit.visit_id, error.code)
        # A hold that came between keeps the provisional summary until its release.
        if visit.status is Status.COMPLETED and visit.provisional and not visit.summary_owed:
            self._world.breach("provisionalForEver", visit.visit_id)


def _is_excused(answer: Answer) -> bool:
    """Whether an answer that was paid for may have got lost before it was saved."""
    return not answer.was_heard or answer.invocation.hits(answer.visit_id) > answer.faults_before
