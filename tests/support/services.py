"""Make the pipeline's services in memory, and uploads and transcripts of test visits."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from itertools import count
from pathlib import Path

from lumimd.adapters.memory import (
    ManualClock,
    MemoryAudioStore,
    MemoryTaskQueue,
    MemoryTranscriber,
    MemoryVisitStore,
)
from lumimd.coordination.admission.admit import Admission
from lumimd.coordination.shutdown import GracefulShutdown
from lumimd.domain.audio import Audio, Upload
from lumimd.domain.clinical import Source, VisitSummary
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Held, Permanent
from lumimd.domain.transcript import Transcript, Utterance
from lumimd.domain.visit import Stage
from lumimd.pipeline import accept, collect
from lumimd.policies.deployment import Policy
from lumimd.policies.flags import Flags
from lumimd.policies.permits import Cap
from lumimd.ports.summarizer import Summarizer
from lumimd.ports.transcriber import Transcribed
from lumimd.rules.summarizer import RulesSummarizer
from lumimd.stores.deletions import Deletions
from lumimd.stores.retention_queries import RetentionQueries
from lumimd.stores.visit_counts import VisitCounts
from tests.support.admission import MemoryGate
from tests.support.summaries import summary_of

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
SAMPLE = Path(__file__).parents[2] / "samples" / "visit.m4a"


class CountingSummarizer:
    """A stub model that cites the first utterance in each summary and counts its paid calls."""

    source: Source = "model"

    def __init__(self) -> None:
        self.calls = 0
        self.raises: list[Exception] = []

    async def summarize(self, transcript: Transcript) -> VisitSummary:
        self.calls += 1
        if self.raises:
            raise self.raises.pop(0)
        return summary_of(transcript)


@dataclass
class FixedFlags:
    """A stub reader of feature flags, without a cache; a test sets the flags."""

    stand: Flags = field(default_factory=Flags)

    async def now(self) -> Flags:
        return self.stand


class NothingToSay:
    """A stub of the rules that finds no summary in any transcript."""

    source: Source = "rules"

    async def summarize(self, transcript: Transcript) -> VisitSummary:
        raise Permanent(ErrorCode.SUMMARY_INVALID)


@dataclass
class MemoryServices:
    """All services in memory; only the test moves the clock."""

    clock: ManualClock = field(default_factory=lambda: ManualClock(START))
    store: MemoryVisitStore = field(default_factory=MemoryVisitStore)
    tasks: MemoryTaskQueue = field(default_factory=MemoryTaskQueue)
    audio: MemoryAudioStore = field(default_factory=MemoryAudioStore)
    transcriber: MemoryTranscriber = field(default_factory=MemoryTranscriber)
    summarizer: CountingSummarizer = field(default_factory=CountingSummarizer)
    fallback: Summarizer = field(default_factory=RulesSummarizer)
    policy: Policy = field(default_factory=lambda: Policy(requires_consent=False))
    flags: FixedFlags = field(default_factory=FixedFlags)
    shutdown: GracefulShutdown = field(default_factory=GracefulShutdown)
    refusals: dict[Stage, Held] = field(default_factory=dict)
    cap: Cap | None = None
    _ids: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.deletions = Deletions(self.store.database)
        self.retention_queries = RetentionQueries(self.store.database)
        self.visit_counts = VisitCounts(self.store.database)

    @cached_property
    def gate(self) -> MemoryGate:
        return MemoryGate(self.store, self.clock, self.cap, self.flags)

    @cached_property
    def admission(self) -> Admission:
        return self.gate.instance()

    def new_id(self) -> str:
        return f"id-{next(self._ids)}"

    async def refusal(self, stage: Stage, unanswered_since: datetime | None = None) -> Held | None:
        return self.refusals.get(stage)

    def upload(
        self, visit_id: str = "visit-1", generation: int = 1, user_id: str = "user-1"
    ) -> Upload:
        """Put a recording of two seconds into the bucket; returns its finalize event."""
        uploaded = upload(visit_id, generation, user_id=user_id)
        self.audio.put(uploaded.audio, tone(seconds=2))
        return uploaded


async def transcribed(services: MemoryServices, visit_id: str = "visit-1") -> None:
    """Accept a recording and collect its transcript."""
    await accept.accept(services, services.upload(visit_id))
    job = services.transcriber.orders[-1].transcript_id
    services.transcriber.finish(job, Transcribed(transcript()))
    await collect.collect(services, visit_id, 1, job)


def upload(
    visit_id: str = "visit-1",
    generation: int = 1,
    size_bytes: int = 64_044,
    user_id: str = "user-1",
) -> Upload:
    audio = Audio(
        bucket="recordings",
        storage_path=f"visits/{user_id}/{visit_id}/audio.wav",
        generation=generation,
        content_type="audio/wav",
        size_bytes=size_bytes,
    )
    return Upload(user_id=user_id, visit_id=visit_id, audio=audio, announced_at=START)


def another(number: int, visit_id: str = "visit-1", user_id: str = "user-1") -> Upload:
    """Make another file of the same visit; a higher number means a later upload."""
    first = upload(visit_id, user_id=user_id)
    path = f"visits/{user_id}/{visit_id}/part {number}.wav"
    changes = {"storage_path": path, "generation": 10 * number}
    return first.model_copy(update={"audio": first.audio.model_copy(update=changes)})


def tone(seconds: float, rate: int = 16_000) -> bytes:
    """Return a WAV file of silence."""
    import io
    import wave

    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(b"\x00\x00" * int(seconds * rate))
    return content.getvalue()


DIALOGUE = (
    ("A", "Good morning, what brings you in today?"),
    ("B", "I have had a cough for two weeks, doctor."),
    ("A", "I am going to start you on amoxicillin, 500 milligrams, three times a day."),
    ("B", "Okay, thank you."),
)


def transcript(dialogue: Sequence[tuple[str, str]] = DIALOGUE) -> Transcript:
    """Return the dialogue as a provider's transcript, with two seconds for each utterance."""
    return Transcript(
        utterances=tuple(
            Utterance(
                id=f"u{number}",
                speaker=speaker,
                start_ms=2_000 * number,
                end_ms=2_000 * number + 1_800,
                text=text,
                confidence=0.9,
            )
            for number, (speaker, text) in enumerate(dialogue, start=1)
        ),
        language_code="en",
        confidence=0.9,
        duration_seconds=2.0 * len(dialogue),
    )
