"""Stubs the transcription provider and its bill, and checks each paid job (order)."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final

from lumimd.coordination.admission.hourly_cap import USER_SHARE
from lumimd.domain.audio import UPLOADS, Audio
from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Commit
from lumimd.domain.errors import DeploymentFault, ProviderRefuses, Transient
from lumimd.domain.visit import Visit
from lumimd.policies import retry
from lumimd.ports.paging import Cursor, Page
from lumimd.ports.transcriber import Failed, Job, JobGone, KnownJob, Running, Transcribed
from tests.simulation.bucket import Bucket, Erased
from tests.simulation.faults import Dependency
from tests.simulation.gate import CAP_AN_HOUR, cap_of
from tests.simulation.invocation import Invocation, current
from tests.simulation.words import transcript_of
from tests.simulation.world import BUCKET, World

LIST_STALE_FOR_S: Final = 30.0

NEWER_PAGES: Final = 4
"""Pages of newer jobs before the job: the adapter reads five pages of the provider's list."""

SLOWEST_PAGE_S: Final = 5.0

HANGS_FOR_S: Final = 24 * 3600.0

KNOWN_WITHIN_S: Final = 60.0
"""Time within which every instance reads a change of the breaker."""


@dataclass
class OrderedJob:
    """A paid job (order) at the provider, which is `billed` when it has a transcript."""

    transcript_id: str
    audio_url: str
    visit_id: str
    generation: int
    attempt: int
    storage_path: str
    listed_from: float
    invocation: Invocation
    state: Running | Transcribed | Failed = field(default_factory=Running)
    billed: bool = False
    gone: bool = False
    deleted: bool = False
    hangs: bool = False
    ended_at: float = 0.0

    @property
    def is_there(self) -> bool:
        """Whether the provider still has the job."""
        return not (self.gone or self.deleted)


def is_of_held_file(visit: Visit, job: OrderedJob) -> bool:
    """Whether the job's recording waits for the end of a legal hold."""
    waiting = {(file.storage_path, file.generation) for file in visit.held_takes}
    return (job.storage_path, job.generation) in waiting


class Transcriptions:
    """A stub of the transcription provider; `on_ended` (the webhook) gets each ended job."""

    provider = "assemblyai"
    limits = UPLOADS

    def __init__(self, world: World, bucket: Bucket) -> None:
        self._world = world
        self._bucket = bucket
        self.jobs: dict[str, OrderedJob] = {}
        self.jobs_of: dict[str, list[OrderedJob]] = {}
        self.running = 0
        self.erased: list[Erased] = []
        self.silent: set[tuple[str, int]] = set()
        self.refused: set[tuple[str, int]] = set()
        self.unordered: set[tuple[str, int]] = set()
        self._first_refused: dict[tuple[str, int], float] = {}
        self._last_ordered = 0.0
        self._ordered_at: list[tuple[float, str]] = []
        self.on_ended: Callable[[OrderedJob], None] = lambda job: None
        self.given_up: set[str] = set()
        world.on_saved.append(self._note_given_up)

    def _note_given_up(self, before: Visit | None, commit: Commit) -> None:
        """Note jobs that are given up, which may be billed beside their replacement."""
        self.given_up.update(commit.visit.given_up_jobs)

    @property
    def flawed(self) -> set[tuple[str, int]]:
        """Return the recordings that cannot be transcribed."""
        return self.silent | self.refused | self.unordered

    def may_wait(self, recording: tuple[str, int]) -> bool:
        """Whether no later job was submitted, so that the deployment may be at fault."""
        refused_at = self._first_refused.get(recording)
        return refused_at is not None and self._last_ordered < refused_at + KNOWN_WITHIN_S

    async def submit(self, audio_url: str, *, visit_id: str, attempt: int) -> str:
        return await self._world.call(
            Dependency.TRANSCRIPTION,
            "submit",
            lambda: self._ordered(audio_url, visit_id, attempt),
            retry.ORDER,
            visit_id=visit_id,
        )

    async def fetch(self, transcript_id: str) -> Job:
        def effect() -> Job:
            job = self.jobs.get(transcript_id)
            if job is None or not job.is_there:
                raise JobGone
            return Job(job.transcript_id, job.audio_url, job.state)

        return await self._world.call(
            Dependency.TRANSCRIPTION, "fetch", effect, retry.TRANSCRIPTION
        )

    async def find(self, audio: Audio, without: Collection[str] = ()) -> str | None:
        def effect() -> str | None:
            for job in reversed(self.jobs_of.get(audio.storage_path, ())):
                if job.listed_from > self._world.loop.time() or not job.is_there:
                    continue
                if job.transcript_id in without:
                    continue
                if not isinstance(job.state, Failed) and audio.is_named_by(job.audio_url):
                    return job.transcript_id
            return None

        await self._newer_pages()
        return await self._world.call(Dependency.TRANSCRIPTION, "find", effect, retry.TRANSCRIPTION)

    async def _newer_pages(self) -> None:
        """Read the pages of newer jobs, which come first in the provider's list."""
        world = self._world
        if world.faults.chance("long_list"):
            for _ in range(world.rng.randint(1, NEWER_PAGES)):
                takes_s = world.rng.uniform(0.5, SLOWEST_PAGE_S)
                await world.call(
                    Dependency.TRANSCRIPTION,
                    "find",
                    lambda: None,
                    retry.TRANSCRIPTION,
                    takes_s=takes_s,
                )

    async def listed(self, after: Cursor | None = None) -> Page[KnownJob]:
        def effect() -> Page[KnownJob]:
            now = self._world.loop.time()
            return Page(
                tuple(
                    KnownJob(
                        job.transcript_id,
                        "http://deleted_by_user" if job.deleted else job.audio_url,
                        not isinstance(job.state, Running),
                    )
                    for job in reversed(self.jobs.values())
                    if job.listed_from <= now and not job.gone
                )
            )

        return await self._world.call(
            Dependency.TRANSCRIPTION, "listed", effect, retry.TRANSCRIPTION
        )

    async def jobs_below(self, bucket: str, folder: str) -> list[str]:
        def effect() -> list[str]:
            now = self._world.loop.time()
            return [job.transcript_id for job in self.below(folder) if job.listed_from <= now]

        return await self._world.call(
            Dependency.TRANSCRIPTION, "jobs_below", effect, retry.TRANSCRIPTION
        )

    async def delete(self, transcript_id: str) -> bool:
        def effect() -> Erased | bool:
            job = self.jobs.get(transcript_id)
            if job is None or not job.is_there:
                return False
            if isinstance(job.state, Running):
                raise Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE)
            job.deleted = True
            self._check_wanted(job)
            folder = job.storage_path.rpartition("/")[0] + "/"
            return Erased(self.erased, folder, 1, job.transcript_id)

        return bool(await self._world.call(Dependency.TRANSCRIPTION, "delete", effect, retry.LOOK))

    def below(self, folder: str) -> list[OrderedJob]:
        """Return the jobs for recordings below `folder` that the provider still has."""
        return [
            job
            for path, jobs in self.jobs_of.items()
            if path.startswith(folder)
            for job in jobs
            if job.is_there
        ]

    def _ordered(self, audio_url: str, visit_id: str, attempt: int) -> str:
        world = self._world
        address, query = audio_url.split("?")
        path = address.split(f"/{BUCKET}/", 1)[1]
        generation = int(query.split("&")[0].removeprefix("generation="))
        now = world.loop.time()
        if (path, generation) in self.unordered:
            self._first_refused.setdefault((path, generation), now)
            code = ErrorCode.TRANSCRIPTION_UNAVAILABLE
            raise ProviderRefuses(code, DeploymentFault.REQUEST_REFUSED)
        self._last_ordered = now
        stale_s = 0.0
        if world.faults.chance("list_is_stale"):
            stale_s = min(LIST_STALE_FOR_S, 2 * LIST_STALE_FOR_S * world.rng.random())
        job = OrderedJob(
            f"job-{len(self.jobs)}",
            audio_url,
            visit_id,
            generation,
            attempt,
            path,
            now + stale_s,
            current.get(),
        )
        self._check_allowed(job)
        self._check_hourly(job)
        self.jobs[job.transcript_id] = job
        self.running += 1
        if self.running > cap_of(self._world).permits:
            world.breach("capExceeded", visit_id, f"{self.running} jobs at once")
        self.jobs_of.setdefault(path, []).append(job)
        takes_s = world.rng.choice((2.0, 20.0, 60.0, 240.0)) * (0.5 + world.rng.random())
        if world.faults.chance("job_takes_hours"):
            takes_s = world.rng.uniform(1, 4) * 3600
        if len(self.jobs_of[path]) == 1 and world.faults.chance("job_hangs"):
            job.hangs, takes_s = True, HANGS_FOR_S
        world.after(takes_s, self._end, job)
        return job.transcript_id

    def _check_hourly(self, job: OrderedJob) -> None:
        """Check the cap on paid jobs in any hour, and the share of each user."""
        if not self._world.is_capped:
            return
        now = self._world.loop.time()
        self._ordered_at.append((now, job.storage_path.split("/")[1]))
        users = [user for at, user in self._ordered_at if at > now - 3600.0]
        mine = users.count(job.storage_path.split("/")[1])
        if len(users) > CAP_AN_HOUR:
            self._world.breach("orderCapExceeded", job.visit_id, f"{len(users)} in an hour")
        if mine > CAP_AN_HOUR // USER_SHARE:
            self._world.breach("userShareExceeded", job.visit_id, f"{mine} in an hour")

    def _check_replaced(self, job: OrderedJob) -> None:
        """Check that the visit no longer waits for a job that hung longer than the limit."""
        stored = self._world.documents.get(job.visit_id)
        present = stored.visit.transcription if stored else None
        if present is not None and present.transcript_id == job.transcript_id:
            self._world.breach("waitedTooLong", job.visit_id, f"for {job.transcript_id}")

    def _end(self, job: OrderedJob) -> None:
        world = self._world
        self.running -= 1
        job.ended_at = world.loop.time()
        if job.hangs:
            self._check_replaced(job)
        if job.hangs or world.faults.chance("job_vanishes"):
            job.gone = True
            world.note("provider", job.visit_id, "lost job", job.transcript_id)
            return
        recording = (job.storage_path, job.generation)
        is_there = self._bucket.there.get(job.storage_path) == job.generation
        if world.faults.chance("job_fails") or not is_there:
            job.state = Failed(ErrorCode.TRANSCRIPTION_FAILED, is_transient=True)
        elif recording in self.refused:
            job.state = Failed(ErrorCode.AUDIO_TOO_SHORT, is_transient=False)
        else:
            job.billed = True
            self._check_bill(job)
            is_silent = recording in self.silent
            words = transcript_of(
                job.visit_id, job.generation, job.transcript_id, is_silent=is_silent
            )
            job.state = Transcribed(words)
        world.note("provider", job.visit_id, "ended job", (job.transcript_id, job.state))
        self.on_ended(job)

    def _check_allowed(self, job: OrderedJob) -> None:
        """Check that no job is submitted without consent or after a deletion receipt is settled."""
        world, visit_id = self._world, job.visit_id
        stored = world.documents.get(visit_id)
        if stored is not None and world.policy.requires_consent and stored.visit.consent is None:
            world.breach("orderedWithoutConsent", visit_id, job.transcript_id)
        if visit_id in world.documents.restored:
            return  # a restored visit may submit jobs until an operator repeats its deletion
        receipt = world.documents.receipts.get(visit_id)
        if receipt is not None and world.now() > receipt[0].settled_at:
            world.breach("orderedAfterDeletion", visit_id, job.transcript_id)

    def _check_wanted(self, job: OrderedJob) -> None:
        """Check that no job is deleted whose file waits for the end of a legal hold."""
        stored = self._world.documents.get(job.visit_id)
        if stored is not None and job.billed and is_of_held_file(stored.visit, job):
            self._world.breach("heldFileLosesItsJob", job.visit_id, job.transcript_id)

    def _check_bill(self, job: OrderedJob) -> None:
        """Check that the provider bills each recording at most once."""
        billed = [
            other.transcript_id
            for other in self.jobs_of[job.storage_path]
            if other.billed
            and other.generation == job.generation
            and other.transcript_id not in self.given_up
        ]
        if len(billed) > 1:
            detail = f"generation {job.generation}: {', '.join(billed)}"
            self._world.breach("duplicateTranscriptionCharges", job.visit_id, detail)
