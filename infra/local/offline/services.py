"""The pipeline's services for existing transcripts: all in memory, without waits."""

from datetime import datetime, timedelta
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


class OfflineServices:
    """The services for one visit with `transcript`; without a `model` the rules summarize it."""

    def __init__(
        self, transcript: Transcript, clock: ManualClock, model: Summarizer | None = None
    ) -> None:
        self.clock = clock
        self.store = MemoryVisitStore()
        self.deletions = Deletions(self.store.database)
        self.retention_queries = RetentionQueries(self.store.database)
        self.visit_counts = VisitCounts(self.store.database)
        self.tasks = MemoryTaskQueue()
        self.audio: Any = NoRecording(transcript.duration_seconds or 0.0)
        self.transcriber = MemoryTranscriber(lambda _: Transcribed(transcript))
        self.fallback: Summarizer = RulesSummarizer()
        self.summarizer = model or self.fallback
        self.policy = Policy()
        self.flags = EverythingOn()
        self.shutdown = GracefulShutdown()
        self.admission: Any = OpenGate()
        self._ids = count(1)

    def new_id(self) -> str:
        """A unique string."""
        return f"offline-{next(self._ids)}"

    async def refusal(self, stage: Stage, unanswered_since: datetime | None = None) -> Held | None:
        """None: no dependency is ever down."""
        return None
