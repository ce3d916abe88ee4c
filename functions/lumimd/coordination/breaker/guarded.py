"""Providers behind a circuit breaker: each method is one call through `breaker.py`.

Every method may raise `BreakerOpen`. The retries of `policies/retry.py` happen within the call, so
a call with failed retries counts once. Orders (paid jobs) have a separate breaker for account and
configuration faults, because with an unpaid account the provider refuses orders but answers polls.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager

from lumimd.coordination.breaker.breaker import CircuitBreaker
from lumimd.domain.audio import Audio
from lumimd.domain.clinical import VisitSummary
from lumimd.domain.errors import BadAnswer
from lumimd.domain.transcript import Transcript
from lumimd.policies.breaker import MODEL, TRANSCRIPTION
from lumimd.ports.paging import Cursor, Page
from lumimd.ports.summarizer import AskedAgain, Summarizer
from lumimd.ports.transcriber import Job, KnownJob, Transcriber
from lumimd.telemetry import metrics


class GuardedTranscriber:
    """A transcriber that calls `transcriber` unless a breaker is open."""

    def __init__(
        self,
        transcriber: Transcriber,
        breaker: CircuitBreaker,
        orders: CircuitBreaker | None = None,
    ) -> None:
        self.provider = transcriber.provider
        self.limits = transcriber.limits
        self._transcriber = transcriber
        self._breaker = breaker
        self._orders = orders

    async def submit(self, audio_url: str, *, visit_id: str, attempt: int) -> str:
        """Submit a paid job and return its id."""
        async with metrics.provider_call(TRANSCRIPTION.name, "submit"), self._order(visit_id):
            return await self._transcriber.submit(audio_url, visit_id=visit_id, attempt=attempt)

    @asynccontextmanager
    async def _order(self, visit_id: str) -> AsyncIterator[None]:
        if self._orders is None:
            async with self._breaker.admitted(visit_id):
                yield
            return
        async with (
            self._orders.admitted(visit_id),
            self._breaker.admitted(opens_for_faults=False),
        ):
            yield

    async def fetch(self, transcript_id: str) -> Job:
        """Return the job; `JobGone` counts as a response."""
        async with (
            metrics.provider_call(TRANSCRIPTION.name, "fetch"),
            self._breaker.admitted(transcript_id),
        ):
            return await self._transcriber.fetch(transcript_id)

    async def find(self, audio: Audio, without: Collection[str] = ()) -> str | None:
        """Return the id of the newest job for this recording's generation that has not failed."""
        async with metrics.provider_call(TRANSCRIPTION.name, "find"), self._breaker.admitted():
            return await self._transcriber.find(audio, without)

    async def listed(self, after: Cursor | None = None) -> Page[KnownJob]:
        """Return the next jobs of the provider's list."""
        async with metrics.provider_call(TRANSCRIPTION.name, "list"), self._breaker.admitted():
            return await self._transcriber.listed(after)

    async def jobs_below(self, bucket: str, folder: str) -> Sequence[str]:
        """Return the ids of recent jobs for recordings below `folder`."""
        async with metrics.provider_call(TRANSCRIPTION.name, "list"), self._breaker.admitted():
            return await self._transcriber.jobs_below(bucket, folder)

    async def delete(self, transcript_id: str) -> bool:
        """Delete the job without the breaker, because the provider may refuse for a running job."""
        return await self._transcriber.delete(transcript_id)


class GuardedSummarizer:
    """A summarizer that calls `summarizer` unless the breaker is open."""

    def __init__(self, summarizer: Summarizer, breaker: CircuitBreaker) -> None:
        self.source = summarizer.source
        self._summarizer = summarizer
        self._breaker = breaker

    async def summarize(self, transcript: Transcript) -> VisitSummary:
        """Return the structured summary of the transcript."""
        subject = "".join(utterance.text for utterance in transcript.utterances[:20])
        async with (
            metrics.provider_call(MODEL.name, "summarize"),
            self._breaker.admitted(subject),
        ):
            return await self._summarizer.summarize(transcript)

    def after(self, bad: BadAnswer) -> "GuardedSummarizer":
        """Return the summarizer for the second request, behind the same breaker."""
        if not isinstance(self._summarizer, AskedAgain):
            return self
        return GuardedSummarizer(self._summarizer.after(bad), self._breaker)
