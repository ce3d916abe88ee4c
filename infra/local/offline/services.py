"""The pipeline's services for existing transcripts, all in memory and without waits."""

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
    """A stub language model with scripted answers; the last answer is repeated."""

    source: Source = "model"

    def __init__(self, answers: list[str]) -> None:
        self._answers = answers
        self._next = 0

    async def summarize(self, transcript: Transcript) -> VisitSummary:
        """Return the next answer, parsed like the answer of a real model."""
        answer = self._answers[min(self._next, len(self._answers) - 1)]
        self._next += 1
        return read_summary(answer)


class NoRecording:
    """A stub bucket without files: a recording is as long as the transcript."""

    def __init__(self, seconds: float) -> None:
        # Clamped, because the times in a transcript may be guesses, and a guess must not cause the
        # refusal of a recording.
        self._seconds = min(max(seconds, 1.0), MAX_SECONDS)

    async def measure(self, audio: Audio) -> Audio:
        """Return the recording with the duration of the transcript."""
        return audio.with_duration(self._seconds)

    async def signed_url(self, audio: Audio, valid_for: timedelta) -> str:
        """Return a URL that contains the name of the recording, as the transcriber expects."""
        path = f"{audio.bucket}/{audio.storage_path}"
        return f"https://storage.invalid/{path}?generation={audio.generation}"


class OpenGate:
    """A stub admission control without limits."""

    async def over_quota(self, visit: object) -> None:
        """Accept: there is no quota."""

    async def may_submit(self, visit: object) -> None:
        """Admit the visit immediately."""

    async def left(self, visit_id: str, attempt: int) -> None:
        """Do nothing: no visit waits in a queue."""


class EverythingOn:
    """Stub feature flags: every feature is on for all users."""

    async def now(self) -> Flags:
        """Return the default flags, which apply if no flags are stored."""
        return Flags()


class OfflineServices:
    """The services for one visit with `transcript`.

    Without a `model` the visit gets a rule-based summary.
    """

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
        """Return a unique string."""
        return f"offline-{next(self._ids)}"

    async def refusal(self, stage: Stage, unanswered_since: datetime | None = None) -> Held | None:
        """Return None, because no dependency is ever down."""
        return None
