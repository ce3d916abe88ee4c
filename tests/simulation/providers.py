"""The recordings, the transcription provider and the model: strict, and with a bill."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any, Final
from urllib.parse import quote

from lumimd.adapters.guarded import GuardedSummarizer, GuardedTranscriber
from lumimd.audio import Audio
from lumimd.clinical import ActionItem, Medications, Source, Statement, VisitSummary
from lumimd.errors import ErrorCode, Permanent
from lumimd.ports import Conflict, Failed, Job, JobGone, Running, Transcribed
from lumimd.resilience import breaker_state, retry
from lumimd.resilience.breaker import CircuitBreaker
from lumimd.resilience.breaker_shared import CACHE_FOR
from lumimd.resilience.breaker_state import Breaker
from lumimd.transcript import Transcript, Utterance
from tests.simulation.faults import Dependency
from tests.simulation.world import START, Invocation, World, current

BUCKET = "recordings"

LIST_STALE_FOR_S = 30.0

ONCE: Final = retry.RetryPolicy(attempts=1, timeout_s=10, initial_s=1, max_wait_s=1, jitter_s=1)
"""The breakers' store is not asked twice."""

KNOWN_AFTER_S: Final = CACHE_FOR.total_seconds() + 1.0


def spoken(visit_id: str, generation: int, job_id: str) -> str:
    """The words of a recording say which it is, and who transcribed them."""
    return f"{visit_id} {generation} {job_id}"


def spoken_of(text: str) -> tuple[str, int, str]:
    """The inverse of `spoken`."""
    visit_id, generation, job_id = text.split()
    return visit_id, int(generation), job_id


class Bucket:
    """The recordings, and what is wrong with some."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.newest: dict[str, int] = {}
        self.flaws: dict[tuple[str, int], ErrorCode] = {}

    async def measure(self, audio: Audio) -> Audio:
        def effect() -> Audio:
            key = audio.storage_path, audio.generation
            if self.newest.get(audio.storage_path) != audio.generation:
                raise Permanent(ErrorCode.AUDIO_MISSING)
            if key in self.flaws:
                raise Permanent(self.flaws[key])
            return audio.with_duration(600.0)

        return await self._world.call(
            Dependency.AUDIO, "measure", effect, retry.AUDIO, takes_s=self._world.rng.random()
        )

    async def signed_url(self, audio: Audio, valid_for: timedelta) -> str:
        def effect() -> str:
            path = quote(audio.storage_path, safe="/~")
            signature = self._world.rng.randrange(2**32)
            return (
                f"https://storage.invalid/{audio.bucket}/{path}"
                f"?generation={audio.generation}&X-Goog-Signature={signature:x}"
            )

        return await self._world.call(Dependency.AUDIO, "signed_url", effect, retry.AUDIO)


@dataclass
class OrderedJob:
    """One job at the provider. `billed` once it is done."""

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


class Transcriptions:
    """The provider of transcripts. `on_ended` hears of each job that ends (the webhook)."""

    provider = "assemblyai"

    def __init__(self, world: World, bucket: Bucket) -> None:
        self._world = world
        self._bucket = bucket
        self.jobs: dict[str, OrderedJob] = {}
        self.jobs_of: dict[str, list[OrderedJob]] = {}
        self.silent: set[tuple[str, int]] = set()
        self.refused: set[tuple[str, int]] = set()
        self.on_ended: Callable[[OrderedJob], None] = lambda job: None

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
            if job is None or job.gone:
                raise JobGone
            return Job(job.transcript_id, job.audio_url, job.state)

        return await self._world.call(
            Dependency.TRANSCRIPTION, "fetch", effect, retry.TRANSCRIPTION
        )

    async def find(self, audio: Audio) -> str | None:
        def effect() -> str | None:
            for job in reversed(self.jobs_of.get(audio.storage_path, ())):
                if job.listed_from > self._world.loop.time() or job.gone:
                    continue
                if not isinstance(job.state, Failed) and audio.is_named_by(job.audio_url):
                    return job.transcript_id
            return None

        return await self._world.call(Dependency.TRANSCRIPTION, "find", effect, retry.TRANSCRIPTION)

    def _ordered(self, audio_url: str, visit_id: str, attempt: int) -> str:
        world = self._world
        address, query = audio_url.split("?")
        path = address.split(f"/{BUCKET}/", 1)[1]
        generation = int(query.split("&")[0].removeprefix("generation="))
        now = world.loop.time()
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
        self.jobs[job.transcript_id] = job
        self.jobs_of.setdefault(path, []).append(job)
        takes_s = world.rng.choice((2.0, 20.0, 60.0, 240.0)) * (0.5 + world.rng.random())
        if world.faults.chance("job_takes_hours"):
            takes_s = world.rng.uniform(1, 4) * 3600
        world.after(takes_s, self._end, job)
        return job.transcript_id

    def _end(self, job: OrderedJob) -> None:
        world = self._world
        if world.faults.chance("job_vanishes"):
            job.gone = True
            world.note("provider", job.visit_id, "lost job", job.transcript_id)
            return
        recording = (job.storage_path, job.generation)
        is_there = self._bucket.newest.get(job.storage_path) == job.generation
        if world.faults.chance("job_fails") or not is_there:
            job.state = Failed(ErrorCode.TRANSCRIPTION_FAILED, is_transient=True)
        elif recording in self.refused:
            job.state = Failed(ErrorCode.AUDIO_TOO_SHORT, is_transient=False)
        else:
            job.billed = True
            self._check_bill(job)
            job.state = Transcribed(_transcript(job, is_silent=recording in self.silent))
        world.note("provider", job.visit_id, "ended job", (job.transcript_id, job.state))
        self.on_ended(job)

    def _check_bill(self, job: OrderedJob) -> None:
        """One recording is paid for once."""
        billed = [
            other.transcript_id
            for other in self.jobs_of[job.storage_path]
            if other.billed and other.generation == job.generation
        ]
        if len(billed) > 1:
            detail = f"generation {job.generation}: {', '.join(billed)}"
            self._world.breach("duplicateTranscriptionCharges", job.visit_id, detail)


def _transcript(job: OrderedJob, *, is_silent: bool) -> Transcript:
    if is_silent:
        return Transcript(utterances=())
    words = spoken(job.visit_id, job.generation, job.transcript_id)
    pages = 1 + job.generation % 2  # one generation leaves more pages than the next one has
    return Transcript(
        utterances=tuple(
            Utterance(
                id=f"u{number}", speaker="A", start_ms=0, end_ms=900, text=words, confidence=0.9
            )
            for number in range(1, pages + 1)
        )
    )


@dataclass
class Answer:
    """One answer of the model: paid for, whether it is heard or not."""

    visit_id: str
    generation: int
    attempt: int
    summary: VisitSummary | Permanent
    invocation: Invocation
    faults_before: int
    was_heard: bool = False

    def heard(self) -> "Answer":
        """Somebody got it."""
        self.was_heard = True
        return self


class Model:
    """The provider of summaries."""

    source: Source = "model"

    def __init__(self, world: World) -> None:
        self._world = world
        self.answers: list[Answer] = []

    async def summarize(self, transcript: Transcript) -> VisitSummary:
        visit_id, generation, _ = spoken_of(transcript.utterances[0].text)
        invocation = current.get()
        stored = self._world.documents.get(visit_id)
        attempt = invocation.attempt or (stored.visit.attempt if stored else 0)

        def effect() -> Answer:
            made: VisitSummary | Permanent = summary_of(visit_id, generation, attempt)
            if self._world.faults.chance("bad_answer"):
                code = self._world.rng.choice(
                    (
                        ErrorCode.SUMMARY_TRUNCATED,
                        ErrorCode.SUMMARY_INVALID,
                        ErrorCode.SUMMARY_REFUSED,
                    )
                )
                made = Permanent(code)
            hits = invocation.hits(visit_id)
            answer = Answer(visit_id, generation, attempt, made, invocation, hits)
            self.answers.append(answer)
            return answer

        answer = await self._world.call(
            Dependency.MODEL,
            "summarize",
            effect,
            retry.MODEL,
            visit_id=visit_id,
            takes_s=self._world.rng.choice((1.0, 8.0, 25.0)) * (0.5 + self._world.rng.random()),
        )
        if isinstance(answer.summary, Permanent):
            raise answer.summary
        return answer.summary


class Rules:
    """The summary that needs no model, and costs nothing."""

    source: Source = "rules"

    async def summarize(self, transcript: Transcript) -> VisitSummary:
        visit_id, generation, _ = spoken_of(transcript.utterances[0].text)
        return summary_of(visit_id, generation, 0)


def summary_of(visit_id: str, generation: int, attempt: int) -> VisitSummary:
    """A summary that says of which recording it is, with one to three things to do."""
    said = ["u1"]
    tasks = 1 + (generation + attempt) % 3
    return VisitSummary(
        summary=[Statement(text=f"{visit_id} {generation}", evidence=said)],
        diagnoses=[],
        medications=Medications(started=[], stopped=[], changed=[]),
        imaging=[],
        next_steps=[],
        education=[],
        action_items=[
            ActionItem(text=f"{visit_id} {generation} {number}", due=None, evidence=said)
            for number in range(tasks)
        ],
    )


class Tasks:
    """The port of the queue; `on_created` hears of each task that is new."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.names: set[tuple[str, int, int]] = set()
        self.on_created: Callable[[str, int, int], None] = lambda *ids: None

    async def request_summary(self, visit_id: str, attempt: int, request: int) -> None:
        def effect() -> None:
            if (visit_id, attempt, request) not in self.names:
                self.names.add((visit_id, attempt, request))
                self.on_created(visit_id, attempt, request)

        await self._world.call(
            Dependency.TASKS, "request_summary", effect, retry.TASKS, visit_id=visit_id
        )


class Breakers:
    """Where the instances share their breakers; as unreliable as the store."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._versions = count(1)
        self.kept: dict[str, tuple[Breaker, int]] = {}
        self._trouble_at: dict[int, float] = {}
        self._asking: dict[int, list[float]] = {}

    def known_to_all(self, name: str) -> Breaker | None:
        """The breaker as every instance must know it, whose last look was not too long ago."""
        kept = self.kept.get(name)
        if kept is None or kept[0].is_closed:
            return None
        opened_at = (kept[0].changed_at or START) - START
        is_known = opened_at.total_seconds() + KNOWN_AFTER_S < self._world.loop.time()
        return kept[0] if is_known else None

    def is_in_trouble(self, instance: int) -> bool:
        """Whether this instance could not read or write the breakers a moment ago."""
        now, trouble_at = self._world.loop.time(), self._trouble_at.get(instance, -1000.0)
        waits = any(now - began_at > 0.5 for began_at in self._asking.get(instance, ()))
        return waits or now - trouble_at < 10 * KNOWN_AFTER_S

    async def get(self, name: str) -> tuple[Breaker, object] | None:
        return await self._through("breaker", lambda: self.kept.get(name))

    async def save(self, read_version: object | None, breaker: Breaker) -> object:
        def effect() -> object:
            before, present_version = self.kept.get(breaker.name, (None, None))
            if present_version != read_version:
                raise Conflict
            self._check_election(before, breaker)
            version = next(self._versions)
            self.kept[breaker.name] = (breaker, version)
            self._world.note("store", None, f"breaker {breaker.name}", breaker.state)
            self._world.faults.injected[f"(breaker {breaker.state})"] += 1
            return version

        return await self._through("save_breaker", effect)

    def _check_election(self, before: Breaker | None, after: Breaker) -> None:
        """While a probe is under way, nobody else is elected."""
        if before is None or before.probe is None or after.probe is None:
            return
        if before.probe.until > self._world.now() and before.probe.holder != after.probe.holder:
            self._world.breach("severalProbes", None, f"{after.name}: elected while one is at it")

    async def _through(self, operation: str, effect: Callable[[], Any]) -> Any:
        began_at, instance = self._world.loop.time(), current.get().instance
        asking = self._asking.setdefault(instance, [])
        asking.append(began_at)
        is_answered = False
        try:
            result = await self._world.call(Dependency.STORE, operation, effect, ONCE)
            is_answered = self._world.loop.time() - began_at < 0.9
        finally:
            asking.remove(began_at)
            if not is_answered:
                self._trouble_at[instance] = self._world.loop.time()
        return result


class Cloud:
    """What all instances share."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.store = world.store()
        self.bucket = Bucket(world)
        self.transcriptions = Transcriptions(world, self.bucket)
        self.tasks = Tasks(world)
        self.model = Model(world)
        self.breakers = Breakers(world)


class Instance:
    """What the pipeline works with in one process."""

    def __init__(self, cloud: Cloud) -> None:
        self._world = cloud.world
        self.clock = cloud.world
        self.store = cloud.store
        self.audio = cloud.bucket
        self.tasks = cloud.tasks
        self.fallback = Rules()
        self.transcriber = GuardedTranscriber(
            cloud.transcriptions, self._breaker(cloud, breaker_state.TRANSCRIPTION)
        )
        self.summarizer = GuardedSummarizer(cloud.model, self._breaker(cloud, breaker_state.MODEL))

    def _breaker(self, cloud: Cloud, policy: breaker_state.BreakerPolicy) -> CircuitBreaker:
        return CircuitBreaker(policy, cloud.breakers, cloud.world, self.new_id)

    def new_id(self) -> str:
        return f"id-{next(self._world.ids)}"
