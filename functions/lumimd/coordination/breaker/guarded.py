"""Providers behind a circuit breaker: each method is one call of `breaker.py`.

Every method may raise `BreakerOpen`; then the provider was not called. The retries of
`policies/retry.py` happen inside, so a call with failed retries counts once. Orders have a separate
breaker for faults of the deployment: an unpaid account refuses orders and answers every poll.
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
    """`transcriber`, as long as it is up."""

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
        """Order a transcript."""
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
        """The job; `JobGone` counts as an answer."""
        async with (
            metrics.provider_call(TRANSCRIPTION.name, "fetch"),
            self._breaker.admitted(transcript_id),
        ):
            return await self._transcriber.fetch(transcript_id)

    async def find(self, audio: Audio, without: Collection[str] = ()) -> str | None:
        """The newest job for this generation of the recording that has not failed."""
        async with metrics.provider_call(TRANSCRIPTION.name, "find"), self._breaker.admitted():
            return await self._transcriber.find(audio, without)

    async def listed(self, after: Cursor | None = None) -> Page[KnownJob]:
        """The next jobs of the provider's list."""
        async with metrics.provider_call(TRANSCRIPTION.name, "list"), self._breaker.admitted():
            return await self._transcriber.listed(after)

    async def jobs_below(self, bucket: str, folder: str) -> Sequence[str]:
        """The ids of the recent jobs for recordings below `folder`."""
        async with metrics.provider_call(TRANSCRIPTION.name, "list"), self._breaker.admitted():
            return await self._transcriber.jobs_below(bucket, folder)

    async def delete(self, transcript_id: str) -> bool:
        """Delete the job. Not through the breaker: a refusal for a running job is no failure."""
        return await self._transcriber.delete(transcript_id)


class GuardedSummarizer:
    """`summarizer`, as long as it is up."""

    def __init__(self, summarizer: Summarizer, breaker: CircuitBreaker) -> None:
        self.source = summarizer.source
        self._summarizer = summarizer
        self._breaker = breaker

    async def summarize(self, transcript: Transcript) -> VisitSummary:
        """The structured summary of the transcript."""
        subject = "".join(utterance.text for utterance in transcript.utterances[:20])
        async with (
            metrics.provider_call(MODEL.name, "summarize"),
            self._breaker.admitted(subject),
        ):
            return await self._summarizer.summarize(transcript)

    def after(self, bad: BadAnswer) -> "GuardedSummarizer":
        """The model for the second request, behind the same breaker."""
        if not isinstance(self._summarizer, AskedAgain):
            return self
        return GuardedSummarizer(self._summarizer.after(bad), self._breaker)
