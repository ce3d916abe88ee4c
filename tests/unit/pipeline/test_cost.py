"""Test that the reads, writes and calls of a visit equal the table in the README."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from lumimd.adapters.memory import MemoryTranscriber, MemoryVisitStore
from lumimd.domain.audio import Audio
from lumimd.domain.commit import Commit, Stored
from lumimd.domain.transcript import Utterance
from lumimd.pipeline import accept, collect, recover, summarize
from lumimd.pipeline.visit_counts import count_visits
from lumimd.policies.permits import Cap
from lumimd.ports.paging import Cursor, Page
from lumimd.ports.transcriber import Job, Transcribed
from tests.support.services import MemoryServices, transcript

README = Path(__file__).parents[3] / "README.md"


class CountingStore(MemoryVisitStore):
    """A store that counts operations as Firestore bills them.

    Each document read is one read, an empty query is also one, and each write is one write.
    """

    def __init__(self) -> None:
        super().__init__()
        self.count = Counter[str]()

    async def get(self, visit_id: str) -> Stored | None:
        self.count["reads"] += 1
        return await super().get(visit_id)

    async def create(self, commit: Commit) -> Stored:
        self._count_writes(commit)
        return await super().create(commit)

    async def save(self, read: Stored, commit: Commit) -> Stored:
        self._count_writes(commit)
        return await super().save(read, commit)

    async def due(self, now: datetime, limit: int, after: Cursor | None = None) -> Page[Stored]:
        found = await super().due(now, limit, after)
        self.count["reads"] += max(1, found.read)
        return found

    async def overdue(self, now: datetime, limit: int, after: Cursor | None = None) -> Page[Stored]:
        found = await super().overdue(now, limit, after)
        self.count["reads"] += max(1, found.read)
        return found

    async def transcript(self, visit_id: str) -> tuple[Utterance, ...]:
        self.count["reads"] += 1  # the transcript has one page
        return await super().transcript(visit_id)

    def _count_writes(self, commit: Commit) -> None:
        self.count["writes"] += len(commit.writes()) + len(commit.deletes())


class CountingTranscriber(MemoryTranscriber):
    def __init__(self) -> None:
        super().__init__()
        self.count = Counter[str]()

    async def fetch(self, transcript_id: str) -> Job:
        self.count["fetch"] += 1
        return await super().fetch(transcript_id)

    async def find(self, audio: Audio) -> str | None:
        self.count["list"] += 1
        return await super().find(audio)


def counted() -> tuple[MemoryServices, CountingStore, CountingTranscriber]:
    store, transcriber = CountingStore(), CountingTranscriber()
    services = MemoryServices(store=store, transcriber=transcriber, cap=Cap.of(200))
    services.gate.has_quota = True
    gate = services.gate
    for documents in (services.deletions, gate.shards, gate.buckets, gate.lines):
        meter(documents, store.count, reads=("get", "due"), writes=("save", "begin"))
    meter(gate.tiers, store.count, reads=("of",))
    meter(gate._room, store.count, reads=("waiting", "before"))
    meter(gate.turn_counters, store.count, writes=("draw",))
    return services, store, transcriber


def meter(
    documents: object, count: Counter[str], reads: Sequence[str] = (), writes: Sequence[str] = ()
) -> None:
    """Count each call of these methods as one read or write, also if it finds nothing."""
    for kind, names in (("reads", reads), ("writes", writes)):
        for name in names:
            if hasattr(documents, name):
                setattr(documents, name, _metered(getattr(documents, name), count, kind))


def _metered(
    call: Callable[..., Awaitable[object]], count: Counter[str], kind: str
) -> Callable[..., Awaitable[object]]:
    async def metered(*args: object, **kwargs: object) -> object:
        count[kind] += 1
        return await call(*args, **kwargs)

    return metered


async def test_the_reads_and_writes_of_a_completed_visit_equal_the_readme() -> None:
    services, store, transcriber = counted()
    stages: dict[str, Counter[str]] = {}

    async def stage(name: str, work: object) -> None:
        store.count.clear()
        await work  # type: ignore[misc]
        stages[name] = store.count.copy()

    await stage("on_audio_finalized", accept.accept(services, services.upload()))
    transcriber.finish("job-0", Transcribed(transcript()))
    await stage("on_transcription_webhook", collect.collect(services, "visit-1", 1, "job-0"))
    await stage("summarize_visit", summarize.summarize(services, "visit-1", 1))
    actions = len(await services.store.actions("visit-1"))

    readme = README.read_text()
    for name, extra in (
        ("on_audio_finalized", ""),
        ("on_transcription_webhook", ""),
        ("summarize_visit", " + one an action item"),
    ):
        writes = stages[name]["writes"] - (actions if extra else 0)
        assert f"| `{name}` | {stages[name]['reads']} | {writes}{extra} |" in readme
    assert len(services.tasks.created) == 1
    assert (len(transcriber.orders), transcriber.count) == (1, Counter({"fetch": 1}))
    assert services.summarizer.calls == 1


async def test_a_poll_costs_one_read_and_one_write_and_one_request() -> None:
    services, store, transcriber = counted()
    await accept.accept(services, services.upload())
    services.clock.advance(timedelta(minutes=1))
    store.count.clear()
    await recover.wake_due(services)
    # Of the four queries of a scheduled run, one finds the visit and three find nothing.
    assert store.count == Counter({"reads": 1 + 3, "writes": 1})
    assert transcriber.count == Counter({"fetch": 1})


async def test_a_scheduled_run_without_due_work_costs_eight_reads() -> None:
    """Four reads look for due work, and four count visits for the dashboard."""
    services, store, _ = counted()
    meter(services.visit_counts, store.count, reads=("visits", "open_dead_letters"))
    await recover.wake_due(services)
    await count_visits(services.visit_counts, services.clock.now())
    assert store.count == Counter({"reads": 8})
