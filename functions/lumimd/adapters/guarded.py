"""Providers behind a circuit breaker: each method is one call of `breaker.py`.

Every method may raise `BreakerOpen`, and then the provider was not called. The retries of
`retry.py` happen inside, so a call that fails counts once.
"""

from collections.abc import Sequence

from lumimd import metrics
from lumimd.audio import Audio
from lumimd.clinical import VisitSummary
from lumimd.ports import Job, KnownJob, Summarizer, Transcriber
from lumimd.queries import Cursor, Page
from lumimd.resilience.breaker import CircuitBreaker
from lumimd.resilience.breaker_state import MODEL, TRANSCRIPTION
from lumimd.transcript import Transcript


class GuardedTranscriber:
    """`transcriber`, as long as it is up."""

    def __init__(self, transcriber: Transcriber, breaker: CircuitBreaker) -> None:
        self.provider = transcriber.provider
        self._transcriber = transcriber
        self._breaker = breaker

    async def submit(self, audio_url: str, *, visit_id: str, attempt: int) -> str:
        """Order a transcript."""
        async with metrics.provider_call(TRANSCRIPTION.name, "submit"), self._breaker.admitted():
            return await self._transcriber.submit(audio_url, visit_id=visit_id, attempt=attempt)

    async def fetch(self, transcript_id: str) -> Job:
        """The job; a job that is gone is an answer like any other."""
        async with metrics.provider_call(TRANSCRIPTION.name, "fetch"), self._breaker.admitted():
            return await self._transcriber.fetch(transcript_id)

    async def find(self, audio: Audio) -> str | None:
        """The newest job for this generation of the recording that has not failed."""
        async with metrics.provider_call(TRANSCRIPTION.name, "find"), self._breaker.admitted():
            return await self._transcriber.find(audio)

    async def listed(self, after: Cursor | None = None) -> Page[KnownJob]:
        """The next jobs of the provider's list."""
        async with metrics.provider_call(TRANSCRIPTION.name, "list"), self._breaker.admitted():
            return await self._transcriber.listed(after)

    async def jobs_below(self, bucket: str, folder: str) -> Sequence[str]:
        """The ids of the recent jobs for recordings below `folder`."""
        async with metrics.provider_call(TRANSCRIPTION.name, "list"), self._breaker.admitted():
            return await self._transcriber.jobs_below(bucket, folder)

    async def delete(self, transcript_id: str) -> bool:
        """Have the job forgotten. Not through the breaker: a job that runs is no failure of it."""
        return await self._transcriber.delete(transcript_id)


class GuardedSummarizer:
    """`summarizer`, as long as it is up."""

    def __init__(self, summarizer: Summarizer, breaker: CircuitBreaker) -> None:
        self.source = summarizer.source
        self._summarizer = summarizer
        self._breaker = breaker

    async def summarize(self, transcript: Transcript) -> VisitSummary:
        """The structured summary of the transcript."""
        async with metrics.provider_call(MODEL.name, "summarize"), self._breaker.admitted():
            return await self._summarizer.summarize(transcript)
