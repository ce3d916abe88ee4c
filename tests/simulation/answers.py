"""Checks how many paid answers the model gave, and that they are in the visit's documents."""

from lumimd.domain.codes import ErrorCode
from lumimd.domain.takes import takes_of
from lumimd.domain.timing import MAX_TRIES
from lumimd.domain.transcript import joined
from lumimd.domain.visit import ProcessingStatus, Stage, Status, Visit
from tests.simulation.cloud import Cloud
from tests.simulation.model import Answer
from tests.simulation.saves import is_transcribed
from tests.simulation.words import label
from tests.simulation.world import World

MOST_UNDER_ONE_LEASE = 2
"""A worker asks the model a second time only after a bad answer."""


class Answers:
    """Checks the model's answers in one finished simulation run (world)."""

    def __init__(self, world: World, cloud: Cloud) -> None:
        self._world, self._cloud = world, cloud

    def at_the_end(self) -> None:
        """Check the number of paid answers in each attempt."""
        by_attempt: dict[tuple[str, int], list[Answer]] = {}
        for answer in self._cloud.model.answers:
            by_attempt.setdefault((answer.visit_id, answer.attempt), []).append(answer)
        for (visit_id, attempt), answers in by_attempt.items():
            by_lease: dict[str, list[Answer]] = {}
            for answer in answers:
                by_lease.setdefault(answer.invocation.name, []).append(answer)
            for name, those in by_lease.items():
                # The provider also charges answers that got lost. A worker asks twice under one
                # lease only after it received a bad answer.
                if len(those) > MOST_UNDER_ONE_LEASE or not all(
                    each.is_bad and each.was_heard for each in those[:-1]
                ):
                    detail = f"{len(those)} under the lease of {name}"
                    self._world.breach("tooManyModelCharges", visit_id, detail)
            # Probes (one a minute for all visits while the breaker is open) and instances that
            # shut down do not count. The visit that opened the breaker has one more try.
            own = {
                answer.invocation.name
                for answer in answers
                if not answer.is_probe and not answer.invocation.instance.shutdown.has_begun
            }
            if len(own) > MAX_TRIES + 1:
                self._world.breach(
                    "tooManyModelCharges", visit_id, f"{len(own)} leases in attempt {attempt}"
                )
            for earlier in answers[:-1]:
                is_asked_again = earlier.is_bad and earlier is by_lease[earlier.invocation.name][0]
                if not is_asked_again and not _is_excused(earlier):
                    self._world.breach(
                        "duplicateModelCharges",
                        visit_id,
                        f"attempt {attempt}: the answer to {earlier.invocation.name} was heard",
                    )

    def check_end_of(self, visit: Visit) -> None:
        """Check that a finished visit shows only results that its transcript supports."""
        pages = self._world.documents.pages.get(visit.visit_id, {})
        said = {utterance.id for utterance in joined(pages.values())}
        shown = (*visit.summary_statements, *visit.education)
        if any(set(each.evidence) - said for each in shown):
            self._world.breach("unsupportedStatement", visit.visit_id)
        self._check_partial(visit)

    def _check_partial(self, visit: Visit) -> None:
        """Check that a visit with a transcript lacks a summary only if the rules find nothing."""
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
        # If a legal hold was set meanwhile, the provisional summary stays until the release.
        if visit.status is Status.COMPLETED and visit.provisional and not visit.summary_owed:
            self._world.breach("provisionalForEver", visit.visit_id)


def _is_excused(answer: Answer) -> bool:
    """Whether a fault may have lost a paid answer before the worker saved it."""
    return not answer.was_heard or answer.invocation.hits(answer.visit_id) > answer.faults_before
