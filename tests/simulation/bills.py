"""Checks that the ledger of each visit equals the charges of the providers.

| charges of an undeleted visit | its ledger                                                       |
|-------------------------------|------------------------------------------------------------------|
| each charged job              | one entry with the seconds of the job; or no entry, if the       |
|                               | provider still has the job, so that the nightly run will note it |
| N answers of the model        | `summaries` <= N <= `summaries` + `summaries_unsettled`          |

After a successful nightly run, every ended job is in a ledger, and every settled copy is deleted.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from lumimd.domain.commit import Commit
from lumimd.domain.ledger import JOBS_REMEMBERED
from lumimd.domain.visit import Status, Visit
from lumimd.policies.reconciliation import KEPT_FOR_RETRY, SETTLED
from lumimd.ports.transcriber import Failed, Running, Transcribed
from tests.simulation.cloud import Cloud
from tests.simulation.invocation import Invocation, current
from tests.simulation.transcription import OrderedJob, is_of_held_file
from tests.simulation.world import START, World


@dataclass(frozen=True)
class Night:
    """A successful nightly run of the reconciliation."""

    began_at: datetime
    listed_at: float


class Bills:
    """Checks the ledgers of one finished simulation run (world)."""

    def __init__(self, world: World, cloud: Cloud) -> None:
        self._world, self._cloud = world, cloud
        self._workers: dict[str, list[Invocation]] = {}
        world.on_saved.append(self._at_save)

    def _at_save(self, before: Visit | None, commit: Commit) -> None:
        if any(entry.event == "summary_claimed" for entry in commit.entries):
            self._workers.setdefault(commit.visit.visit_id, []).append(current.get())

    def check_end_of(self, visit: Visit) -> None:
        """Check the ledger of a finished visit."""
        self._check_answers(visit)
        self._check_jobs(visit)

    def at_the_end(self) -> None:
        """Check that the last nightly run deleted every provider job that no visit needs."""
        night = self._last_good_night()
        if night is None:
            return
        for job in self._cloud.transcriptions.jobs.values():
            stored = self._world.documents.get(job.visit_id)
            if stored is None or not job.is_there or isinstance(job.state, Running):
                continue
            if is_of_held_file(stored.visit, job):
                continue  # the pipeline uses this job after the release
            if job.ended_at < night.listed_at and _was_over(stored.visit, night.began_at):
                kind = "failed" if isinstance(job.state, Failed) else "transcribed"
                self._world.breach("copiesKept", job.visit_id, f"{job.transcript_id}, {kind}")

    def _check_answers(self, visit: Visit) -> None:
        answers = [each for each in self._cloud.model.answers if each.visit_id == visit.visit_id]
        noted, unsettled = visit.ledger.summaries, visit.ledger.summaries_unsettled
        detail = f"{noted} to {noted + unsettled} of {len(answers)} answers"
        if noted > len(answers):
            self._world.breach("ledgerAboveBill", visit.visit_id, detail)
        if noted + unsettled < len(answers):
            self._world.breach("ledgerBelowBill", visit.visit_id, detail)
        workers = self._workers.get(visit.visit_id, ())
        undisturbed = visit.attempt == 1 and visit.status is Status.COMPLETED
        if unsettled and undisturbed and not any(each.hits(visit.visit_id) for each in workers):
            self._world.breach("ledgerUnsettled", visit.visit_id, detail)

    def _check_jobs(self, visit: Visit) -> None:
        jobs, breach = self._cloud.transcriptions.jobs, self._world.breach
        noted = {entry.transcript_id: entry.seconds for entry in visit.ledger.jobs}
        if len(noted) >= JOBS_REMEMBERED:
            return
        for job in (job for job in jobs.values() if job.visit_id == visit.visit_id and job.billed):
            seconds = noted.get(job.transcript_id)
            if seconds is None and not job.is_there:
                breach("ledgerBelowBill", visit.visit_id, f"{job.transcript_id} is gone, unnoted")
            if seconds is not None and seconds != _seconds_of(job):
                breach("ledgerBelowBill", visit.visit_id, f"{job.transcript_id}: {seconds} s")
        for transcript_id, seconds in noted.items():
            job_noted = jobs.get(transcript_id)
            if job_noted is None or job_noted.visit_id != visit.visit_id:
                breach("ledgerAboveBill", visit.visit_id, f"{transcript_id} is another's")
            elif seconds is not None and not job_noted.billed:
                breach("ledgerAboveBill", visit.visit_id, f"{transcript_id} costs nothing")
        total = sum(seconds or 0.0 for seconds in noted.values())
        if (visit.ledger.orders, visit.ledger.audio_seconds) != (len(noted), total):
            breach("ledgerAboveBill", visit.visit_id, f"{visit.ledger}")

    def _last_good_night(self) -> Night | None:
        """Return the last nightly run in which every part succeeded and no copy was kept."""
        begins: dict[str, datetime] = {}
        listed: dict[str, float] = {}
        spoiled: set[str] = set()
        good: Night | None = None
        for at, actor, _, event, detail in self._world.trace:
            if not actor.startswith("retention#"):
                continue
            if event == "begins":
                begins[actor] = START + timedelta(seconds=at)
            elif event == "listed":
                listed[actor] = at
            elif event in ("fault", "part_failed", "reconciliation_failed", "provider_copy_kept"):
                spoiled.add(actor)
            elif event == "replied" and detail == 200 and actor in listed and actor not in spoiled:
                good = Night(begins[actor], listed[actor])
        return good


def _was_over(visit: Visit, then: datetime) -> bool:
    """Whether at `then` the visit had ended so long ago that its jobs are to be deleted."""
    if not visit.processing_status.is_terminal or visit.timings is None:
        return False
    ended_at = visit.timings.processing_completed_at
    error = visit.processing_error
    kept_for = KEPT_FOR_RETRY if error is not None and error.retryable else SETTLED
    times = (ended_at, *(each.at for each in visit.refused_takes))
    return all(at is not None and then - at > kept_for for at in times)


def _seconds_of(job: OrderedJob) -> float | None:
    heard = job.state.transcript if isinstance(job.state, Transcribed) else None
    return heard.duration_seconds if heard else None
