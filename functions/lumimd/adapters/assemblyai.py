"""Transcripts with speaker labels by AssemblyAI."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Final, TypeVar
from urllib.parse import urlencode

import httpx
from assemblyai import AsyncClient
from assemblyai import types as aai
from assemblyai.prerecorded.v2 import async_api

from lumimd.audio import Audio, is_below
from lumimd.errors import ErrorCode, Permanent, Transient
from lumimd.inbound import WEBHOOK_HEADER
from lumimd.ports import Failed, Job, JobGone, KnownJob, Running, Transcribed
from lumimd.queries import Cursor, Page
from lumimd.resilience import retry
from lumimd.transcript import Transcript, Utterance

T = TypeVar("T")

SPEECH_THRESHOLD: Final = 0.02
"""Below this share of speech the job fails free of charge; silence would be billed otherwise."""

DELETED_AUDIO_URL: Final = "http://deleted_by_user"
"""What a deleted job keeps in place of the recording's URL."""

_JOBS: Final = "/v2/transcript"

PAGE: Final = 100
LOOK_BACK_PAGES: Final = 5
"""How far `find` looks: 500 jobs, more than the provider starts in the minutes that matter."""

# What the provider says of a job that ended in error, by a part of the sentence (its documentation
# lists them). Everything else is taken for its own trouble, and failed jobs are free.
_PERMANENT_ERRORS: Final = (
    ("too short", ErrorCode.AUDIO_TOO_SHORT),
    ("too long", ErrorCode.AUDIO_TOO_LONG),
    ("no spoken audio", ErrorCode.NO_SPEECH),
    ("speech threshold", ErrorCode.NO_SPEECH),
    ("not appear to contain audio", ErrorCode.AUDIO_UNREADABLE),
    ("does not contain audio", ErrorCode.AUDIO_UNREADABLE),
    ("unsupported", ErrorCode.AUDIO_UNREADABLE),
)


class Webhook:
    """Where the provider says that a job is done: our URL and our secret."""

    def __init__(self, url: str, secret: str) -> None:
        self.url = url
        self.secret = secret

    def request_fields(self, visit_id: str, attempt: int) -> dict[str, str]:
        """The fields of an order that ask for the webhook; the URL names visit and attempt."""
        query = urlencode({"visit": visit_id, "attempt": attempt})
        return {
            "webhook_url": f"{self.url}?{query}",
            "webhook_auth_header_name": WEBHOOK_HEADER,
            "webhook_auth_header_value": self.secret,
        }


class AssemblyAITranscriber:
    """Without a webhook the poller alone collects the transcripts."""

    provider = "assemblyai"

    def __init__(self, *, api_key: str, base_url: str, webhook: Webhook | None) -> None:
        self._client = http_client(api_key, base_url)
        self._webhook = webhook

    async def submit(self, audio_url: str, *, visit_id: str, attempt: int) -> str:
        """Order a transcript; one call, never repeated here."""
        order = aai.TranscriptRequest(
            audio_url=audio_url,
            speaker_labels=True,
            language_detection=True,
            punctuate=True,
            format_text=True,
            speech_threshold=SPEECH_THRESHOLD,
            **(self._webhook.request_fields(visit_id, attempt) if self._webhook else {}),
        )
        http = self._client.http_client
        job = await called(retry.ORDER, lambda: async_api.create_transcript(http, order))
        if not job.id:
            raise Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE)
        return job.id

    async def fetch(self, transcript_id: str) -> Job:
        """The job and, once it is done, its transcript."""
        http = self._client.http_client
        found = await called(
            retry.TRANSCRIPTION, lambda: async_api.get_transcript(http, transcript_id)
        )
        if found.audio_url == DELETED_AUDIO_URL:
            raise JobGone
        return Job(transcript_id, found.audio_url, _state(found))

    async def find(self, audio: Audio) -> str | None:
        """The newest job for this generation of the recording that has not failed."""
        async for item in self._recent():
            if item.status != aai.TranscriptStatus.error and audio.is_named_by(item.audio_url):
                return item.id
        return None

    async def listed(self, after: Cursor | None = None) -> Page[KnownJob]:
        """The next jobs of the list, the newest first."""
        page = await self._page(after.id if after else None)
        before_id = page.page_details.before_id_of_prev_url
        cursor = Cursor(None, before_id) if before_id is not None else None
        return Page(tuple(map(_known, page.transcripts)), cursor)

    async def jobs_below(self, bucket: str, folder: str) -> Sequence[str]:
        """The ids of the recent jobs for recordings below `folder`, the newest first."""
        recent = [item async for item in self._recent()]
        return [item.id for item in recent if is_below(item.audio_url, bucket, folder)]

    async def delete(self, transcript_id: str) -> bool:
        """Have the job and its transcript forgotten."""
        http = self._client.http_client

        async def forget() -> bool:
            job = await async_api.get_transcript(http, transcript_id)
            if job.audio_url == DELETED_AUDIO_URL:
                return False
            if job.status in (aai.TranscriptStatus.queued, aai.TranscriptStatus.processing):
                raise Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE)
            await async_api.delete_transcript(http, transcript_id)
            return True

        try:
            return await called(retry.LOOK, forget)
        except JobGone:
            return False

    async def _recent(self) -> AsyncIterator[aai.TranscriptItem]:
        before_id: str | None = None
        for _ in range(LOOK_BACK_PAGES):
            page = await self._page(before_id)
            for item in page.transcripts:
                yield item
            before_id = page.page_details.before_id_of_prev_url
            if before_id is None:
                return

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _page(self, before_id: str | None) -> aai.ListTranscriptResponse:
        asked = aai.ListTranscriptParameters(limit=PAGE, before_id=before_id)
        http = self._client.http_client
        return await called(retry.TRANSCRIPTION, lambda: async_api.list_transcripts(http, asked))


def http_client(api_key: str, base_url: str) -> AsyncClient:
    """The SDK's client, with errors told in our words."""
    settings = aai.Settings(api_key=api_key, base_url=base_url)
    settings.http_timeout = retry.TRANSCRIPTION.timeout_s
    client = AsyncClient(settings=settings)
    # The SDK's exceptions quote URLs and drop `Retry-After`; this hook comes before them.
    client.http_client.event_hooks["response"].append(_raise_for_status)
    return client


async def called(policy: retry.RetryPolicy, make: Callable[[], Awaitable[T]]) -> T:
    """The result of a call to the provider, made again by `policy`."""

    async def once() -> T:
        try:
            return await make()
        except httpx.TransportError as error:
            raise Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE) from error

    return await retry.call(policy, ErrorCode.TRANSCRIPTION_UNAVAILABLE, once)


async def _raise_for_status(response: httpx.Response) -> None:
    status = response.status_code
    # "Transcript lookup error, transcript id not found" is a 400 of this provider.
    request = response.request
    asked_for_a_job = request.method in ("GET", "DELETE") and request.url.path != _JOBS
    if asked_for_a_job and status in (httpx.codes.BAD_REQUEST, httpx.codes.NOT_FOUND):
        raise JobGone
    if status == httpx.codes.TOO_MANY_REQUESTS or status >= 500:
        asked_s = retry.seconds_asked(response.headers)
        raise Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE, retry_after_s=asked_s)
    if status >= 400:
        raise Permanent(ErrorCode.TRANSCRIPTION_FAILED)


def _state(found: aai.TranscriptResponse) -> Running | Transcribed | Failed:
    match found.status:
        case aai.TranscriptStatus.completed:
            return Transcribed(_transcript(found))
        case aai.TranscriptStatus.error:
            return _failed(found.error or "")
        case _:
            return Running()


def _known(item: aai.TranscriptItem) -> KnownJob:
    is_over = item.status in (aai.TranscriptStatus.completed, aai.TranscriptStatus.error)
    return KnownJob(item.id, item.audio_url, is_over, _instant(item.created))


def _instant(text: str) -> datetime | None:
    """The list gives UTC without saying so."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _failed(message: str) -> Failed:
    for part, code in _PERMANENT_ERRORS:
        if part in message.lower():
            return Failed(code, is_transient=False)
    return Failed(ErrorCode.TRANSCRIPTION_FAILED, is_transient=True)


def _transcript(found: aai.TranscriptResponse) -> Transcript:
    utterances = tuple(
        Utterance(
            id=f"u{number}",
            speaker=utterance.speaker or "A",
            start_ms=utterance.start,
            end_ms=utterance.end,
            text=utterance.text,
            confidence=utterance.confidence,
        )
        for number, utterance in enumerate(found.utterances or (), start=1)
    )
    return Transcript(
        utterances=utterances,
        language_code=found.language_code,
        confidence=found.confidence,
        duration_seconds=found.audio_duration,
    )
