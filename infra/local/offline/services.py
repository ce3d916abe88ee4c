"""The pipeline's services for existing transcripts: all in memory, without waits."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from itertools import count
from typing import Any

from lumimd.adapters.memory import (
    ManualClock,
    MemoryTaskQueue,
    MemoryTranscriber,
    MemoryVisitStore,
)
from lumimd.adapters.openai.model_answers import read_summary
from lumimd.coordination.shutdown import GracefulShutdown
from lumimd.domain.audio import MAX_SECONDS, Audio
from lumimd.domain.clinical import Source, VisitSummary
from lumimd.domain.errors import Held
from lumimd.domain.transcript import Transcript
from lumimd.domain.visit import Stage
from lumimd.policies.deployment import Policy
from lumimd.policies.flags import Flags
from lumimd.ports.summarizer import Summarizer
from lumimd.ports.transcriber import Transcribed
from lumimd.rules.summarizer import RulesSummarizer
from lumimd.stores.deletions import Deletions
from lumimd.stores.retention_queries import RetentionQueries
from lumimd.stores.visit_counts import VisitCounts


class ScriptedModel:
    """A model with scripted answers; the last one is repeated."""

    source: Source = "model"

    def __init__(self, answers: list[str]) -> None:
        self._answers = answers
        self._next = 0

    async def summarize(self, transcript: Transcript) -> VisitSummary:
        """The next answer, parsed like that of a real model."""
        answer = self._answers[min(self._next, len(self._answers) - 1)]
        self._next += 1
        return read_summary(answer)


class NoRecording:
    """A bucket without files; the length of a recording is that of the transcript."""

    def __init__(self, seconds: float) -> None:
        # Clamped: the times of a transcript may be guesses, and must not refuse a recording.
        self._seconds = min(max(seconds, 1.0), MAX_SECONDS)

    async def measure(self, audio: Audio) -> Audio:
        """The recording with its duration."""
        return audio.with_duration(self._seconds)

    async def signed_url(self, audio: Audio, valid_for: timedelta) -> str:
        """A URL with the name of the recording, as the transcriber expects it."""
        path = f"{audio.bucket}/{audio.storage_path}"
        return f"https://storage.invalid/{path}?generation={audio.generation}"


class OpenGate:
    """Admission control without limits."""

    async def over_quota(self, visit: object) -> None:
        """Accept: there is no quota."""

    async def may_submit(self, visit: object) -> None:
        """Admit at once."""

    async def left(self, visit_id: str, attempt: int) -> None:
        """Do nothing: no visit waits in a queue."""


class EverythingOn:
    """Feature flags: every feature is on for all users."""

    async def now(self) -> Flags:
        """The default flags, as without a document."""
        return Flags()


@dataclass
class OfflineServices:
    """The services for one visit with `transcript`."""

    transcript: Transcript
    clock: ManualClock
    model: Summarizer | None = None
    store: MemoryVisitStore = field(default_factory=MemoryVisitStore)
    tasks: MemoryTaskQueue = field(default_factory=MemoryTaskQueue)
    fallback: Summarizer = field(default_factory=RulesSummarizer)
    policy: Policy = field(default_factory=Policy)
    flags: EverythingOn = field(default_factory=EverythingOn)
    shutdown: GracefulShutdown = field(default_factory=GracefulShutdown)
    admission: Any = field(default_factory=OpenGate)
    _ids: Any = field(default_factory=lambda: count(1))

    @cached_property
    def audio(self) -> Any:
        """The bucket."""
        return NoRecording(self.transcript.duration_seconds or 0.0)

    @cached_property
    def transcriber(self) -> MemoryTranscriber:
        """A provider whose jobs complete at once, with the transcript."""
        return MemoryTranscriber(lambda _: Transcribed(self.transcript))

    @cached_property
    def summarizer(self) -> Summarizer:
        """The model, or the rules where there is none."""
        return self.model or self.fallback

    @cached_property
    def deletions(self) -> Deletions:
        """The records of deleted visits: none."""
        return Deletions(self.store.database)

    @cached_property
    def retention_queries(self) -> RetentionQueries:
        """Retention queries over the visits."""
        return RetentionQueries(self.store.database)

    @cached_property
    def visit_counts(self) -> VisitCounts:
        """Counts of the visits."""
        return VisitCounts(self.store.database)

    def new_id(self) -> str:
        """A unique string."""
        return f"offline-{next(self._ids)}"

    async def refusal(self, stage: Stage, unanswered_since: datetime | None = None) -> Held | None:
        """None: no dependency is ever down."""
        return None
