"""Checks the invariants of a finished simulation run (world)."""

from collections import Counter
from typing import Final

from lumimd.domain.codes import ErrorCode
from lumimd.domain.owners_work import is_worked_on
from lumimd.domain.takes import generation_known, takes_of
from lumimd.domain.timing import MAX_TRIES
from lumimd.domain.transcript import joined
from lumimd.domain.visit import ProcessingStatus, Status, Visit
from lumimd.ports.transcriber import Transcribed
from tests.simulation.answers import Answers
from tests.simulation.bills import Bills
from tests.simulation.cloud import Cloud
from tests.simulation.erasure import Erasure
from tests.simulation.phones import Phones, folder_of
from tests.simulation.promises import Promises
from tests.simulation.releases import Releases
from tests.simulation.transcription import OrderedJob
from tests.simulation.words import heard_in, label
from tests.simulation.world import EXPIRES_AFTER, World

HARMLESS: Final = {
    *("poison", "kills_measuring", "few_places", "rush", "backlog", "capped"),
    *("unpaid_for_days", "bad_order", "job_hangs"),
    *("unreadable", "mixed", "newer_value", "broken_part"),
}
"""Faults that only delay visits: every visit ends despite them."""

MOST_TASKS: Final = 10
"""Maximum number of tasks for a summary while the queue has a backlog of three hours."""

GIVEN_UP: Final = (ErrorCode.CANCELLED, ErrorCode.EXPIRED)
"""Codes of files whose paid job no visit collects; the job may still end and be billed."""


class Endings:
    """Checks one finished world."""

    def __init__(self, world: World, cloud: Cloud, phones: Phones, releases: Releases) -> None:
        self._world, self._cloud, self._phones = world, cloud, phones
        self._releases = releases
        self._promises = Promises(world, phones)
        self._erasure = Erasure(world, cloud)
        self._answers = Answers(world, cloud)
        self._bills = Bills(world, cloud)

    def at_the_end(self) -> None:
        """Check paid jobs (orders), bills, copies, permits, and each visit."""
        bills: dict[tuple[str, int], list[OrderedJob]] = {}
        orders: Counter[tuple[str, int]] = Counter()
        for job in self._cloud.transcriptions.jobs.values():
            orders[job.visit_id, job.attempt] += 1
            is_given_up = job.transcript_id in self._cloud.transcriptions.given_up
            if job.billed and not job.gone and not is_given_up:
                bills.setdefault((job.visit_id, job.generation), []).append(job)
        for (visit_id, attempt), number in orders.items():
            if number > MAX_TRIES:
                self._world.breach("tooManyOrders", visit_id, f"{number} in attempt {attempt}")
        self._answers.at_the_end()
        self._bills.at_the_end()
        level = vars(self._world.options.level)
        if not {name for name, share in level.items() if share} - HARMLESS:
            self._check_all_completed()
            self._check_tasks()
            self._releases.at_the_end()
        for holder in self._cloud.gate.holders():
            visit_id = holder.rpartition("/")[0]
            if not self._may_wait(visit_id):
                self._world.breach("placesLeaked", visit_id, holder)
        for visit_id in self._phones.visit_ids:
            self._check_end_of(visit_id, bills)
        self._erasure.at_the_end()

    def _check_all_completed(self) -> None:
        """Check that under harmless faults every visit completes with a summary by the model."""
        for visit_id, stored in self._world.documents.visits.items():
            visit = stored.visit
            bucket, unordered = self._cloud.bucket, self._cloud.transcriptions.unordered
            paths = bucket.paths_of(folder_of(visit_id))
            is_odd = any((path, bucket.newest[path]) in unordered for path in paths)
            if visit.status is not Status.COMPLETED and not is_odd:
                self._world.breach("outageCostAVisit", visit_id, visit.status)
            elif visit.status is Status.COMPLETED and visit.source != "model":
                self._world.breach("outageCostAVisit", visit_id, "the rules wrote its summary")

    def _check_tasks(self) -> None:
        """Check that few more tasks are created while a task waits in the queue for hours."""
        if not self._world.has_backlog:
            return
        created = Counter(name[:2] for name in self._cloud.tasks.names)
        for (visit_id, attempt), number in created.items():
            if number > MOST_TASKS:
                self._world.breach("tooManyTasks", visit_id, f"{number} in attempt {attempt}")

    def _check_end_of(self, visit_id: str, bills: dict[tuple[str, int], list[OrderedJob]]) -> None:
        world, breach = self._world, self._world.breach
        stored = world.documents.get(visit_id)
        bucket = self._cloud.bucket
        files = {path: bucket.newest[path] for path in bucket.paths_of(folder_of(visit_id))}
        if stored is None:
            if files and visit_id not in world.documents.receipts:
                breach("lostUploads", visit_id, "there is no visit")
            return
        visit = stored.visit
        if visit.waiting_takes and not _may_leave_files(visit):
            breach("lostUploads", visit_id, f"{visit.status}, and a file waits")
        for path, newest in files.items():
            if generation_known(visit, path) != newest:
                breach("lostUploads", visit_id, f"{generation_known(visit, path)} of {newest}")
                return
        if not visit.processing_status.is_terminal:
            waits_for_release = visit.legal_hold and visit.audio is None
            if not waits_for_release and not self._may_wait(visit_id):
                breach("stuck", visit_id, visit.processing_status)
            return
        patient = world.policy.expires_after == EXPIRES_AFTER
        if patient and visit.status is Status.EXPIRED and visit.audio is not None:
            breach("stuck", visit_id, "no worker resumed the visit before it expired")
        self._promises.at_the_end(visit)
        billed = [job for newest in files.values() for job in bills.get((visit_id, newest), ())]
        self._check_transcript(visit, billed)
        self._answers.check_end_of(visit)
        self._bills.check_end_of(visit)
        if visit.processing_status is ProcessingStatus.COMPLETED and not visit.summary_owed:
            self._check_actions(visit)

    def _may_wait(self, visit_id: str) -> bool:
        bucket = self._cloud.bucket
        return any(
            self._cloud.transcriptions.may_wait((path, bucket.newest[path]))
            for path in bucket.paths_of(folder_of(visit_id))
        )

    def _check_transcript(self, visit: Visit, billed: list[OrderedJob]) -> None:
        pages = self._world.documents.pages.get(visit.visit_id, {})
        utterances = joined(pages.values())
        wanted = [(visit.visit_id, take.audio.generation) for take in takes_of(visit)]
        if wanted and (heard_in(utterances) != wanted or len(pages) != visit.transcript_pages):
            self._world.breach("lostTranscripts", visit.visit_id, f"{heard_in(utterances)}")
        if visit.status in (Status.CANCELLED, Status.EXPIRED):
            return
        known = {each for _, each in wanted}
        known |= {each.generation for each in visit.held_takes}
        known |= {each.generation for each in visit.refused_takes if each.code in GIVEN_UP}
        for job in billed:
            if (
                isinstance(job.state, Transcribed)
                and not job.state.transcript.is_silent
                and job.generation not in known
            ):
                detail = f"{job.transcript_id} is paid for, and the visit is {visit.status}"
                self._world.breach("lostTranscripts", visit.visit_id, detail)

    def _check_actions(self, visit: Visit) -> None:
        found = self._world.documents.actions_of(visit.visit_id)
        heard = label(take.audio.generation for take in takes_of(visit))
        named = {action.action_id: action for action in found}
        items = [named[name] for name in visit.action_ids if name in named]
        prefix = f"{visit.visit_id} {heard} "
        last = [each for each in items if str(each.extracted_text).startswith(prefix)]
        numbers = [int(str(each.extracted_text).removeprefix(prefix)) for each in last]
        # Items that the owner worked on stay, also those of earlier summaries. The last summary's
        # items are numbered from 0 without a gap, up to the last item without work by the owner.
        of_last = [n for n, each in zip(numbers, last, strict=True) if not is_worked_on(each)]
        if (
            len(found) != len(visit.action_ids)
            or not all(each in last or is_worked_on(each) for each in items)
            or len(set(numbers)) < len(numbers)
            or not set(range(max(of_last, default=-1) + 1)) <= set(numbers)
        ):
            self._world.breach(
                "duplicateActionItems", visit.visit_id, str([action.text for action in found])
            )
        if visit.summary != f"{visit.visit_id} {heard}":
            self._world.breach("foreignSummary", visit.visit_id, str(visit.summary))


def _may_leave_files(visit: Visit) -> bool:
    """Whether the visit was cancelled, has expired, or lacks the owner's consent."""
    error = visit.processing_error
    if error is not None and error.code is ErrorCode.CONSENT_MISSING:
        return True
    return visit.status in (Status.CANCELLED, Status.EXPIRED)
