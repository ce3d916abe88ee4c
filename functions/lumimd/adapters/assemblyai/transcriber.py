"""Transcribe with speaker labels by AssemblyAI.

The SDK provides the transport and the form of an order (paid job). Its models of the responses are
not used, because they refuse a whole transcript for one field that is null or new
(`transcript.py`).
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from urllib.parse import parse_qs, quote, urlsplit

import httpx
from assemblyai import AsyncClient, Settings
from assemblyai.api import ENDPOINT_UPLOAD as UPLOADS
from assemblyai.prerecorded.v2.api import ENDPOINT_TRANSCRIPT as JOBS

from lumimd.adapters.assemblyai.answers import Call, failed_job, refusal
from lumimd.adapters.assemblyai.fields import items, json_object, text_of
from lumimd.adapters.assemblyai.options import LIMITS, Options, Webhook
from lumimd.adapters.assemblyai.order import order
from lumimd.adapters.assemblyai.transcript import transcript_of
from lumimd.domain import errors
from lumimd.domain.audio import Audio, is_below
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Transient
from lumimd.policies import retry
from lumimd.ports.paging import Cursor, Page
from lumimd.ports.transcriber import Failed, Job, JobGone, KnownJob, Running, Transcribed

T = TypeVar("T")

DELETED_AUDIO_URL: Final = "http://deleted_by_user"
"""The URL that replaces the recording's URL in a deleted job."""

COMPLETED: Final = "completed"
ERROR: Final = "error"
"""The status of a finished job. Any other status, even an unknown one, counts as running."""

PAGE: Final = 100
LOOK_BACK_PAGES: Final = 5
"""The pages that `find` reads: 500 jobs, more than the provider starts in the relevant minutes."""


class AssemblyAITranscriber:
    """The `Transcriber` by AssemblyAI; without a webhook only the poller collects transcripts."""

    provider = "assemblyai"
    limits = LIMITS

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str,
        webhook: Webhook | None,
        options: Options | None = None,
    ) -> None:
        self._client = http_client(api_key, base_url)
        self._webhook = webhook
        self._options = options or Options()

    async def submit(self, audio_url: str, *, visit_id: str, attempt: int) -> str:
        """Order a transcript (a paid job) in one call, without a retry, as each call is billed."""
        webhook = self._webhook.request_fields(visit_id, attempt) if self._webhook else {}
        body = order(audio_url, self._options, webhook)

        async def make() -> str:
            response = await self._client.http_client.post(JOBS, json=body)
            try:
                transcript_id = text_of(json_object(response.content).get("id"))
            except errors.Unreadable:
                transcript_id = ""
            if not transcript_id:  # the paid job was accepted; the provider's list has its id
                raise errors.Unanswered(ErrorCode.TRANSCRIPTION_UNAVAILABLE)
            return transcript_id

        return await called(retry.ORDER, make)

    async def fetch(self, transcript_id: str) -> Job:
        """Fetch the job and, once it is done, its transcript.

        Raises:
            JobGone: the provider does not have the job.
            Unreadable: the response about the job could not be parsed.
        """
        found = await called(retry.TRANSCRIPTION, lambda: self._job(transcript_id))
        audio_url = text_of(found.get("audio_url"))
        if audio_url == DELETED_AUDIO_URL:
            raise JobGone
        return Job(transcript_id, audio_url, _state(found))

    async def find(self, audio: Audio, without: Collection[str] = ()) -> str | None:
        """Return the newest job for this generation of the recording that has not failed."""
        async for job in self._recent():
            transcript_id = text_of(job.get("id"))
            if _status(job) == ERROR or transcript_id in without:
                continue
            if audio.is_named_by(text_of(job.get("audio_url"))):
                return transcript_id
        return None

    async def listed(self, after: Cursor | None = None) -> Page[KnownJob]:
        """Return the next jobs of the list, the newest first."""
        jobs, cursor = await self._page_of_jobs(after)
        return Page(tuple(map(_known, jobs)), cursor)

    async def jobs_below(self, bucket: str, folder: str) -> Sequence[str]:
        """Return the ids of recent jobs for recordings below `folder`, the newest first."""
        recent = [_known(job) async for job in self._recent()]
        return [job.transcript_id for job in recent if is_below(job.audio_url, bucket, folder)]

    async def delete(self, transcript_id: str) -> bool:
        """Delete the job and its transcript at the provider."""

        async def forget() -> bool:
            job = await self._job(transcript_id)
            if text_of(job.get("audio_url")) == DELETED_AUDIO_URL:
                return False
            if _status(job) not in (COMPLETED, ERROR):
                raise Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE)
            await self._client.http_client.delete(_path(transcript_id))
            return True

        try:
            return await called(retry.LOOK, forget)
        except JobGone:
            return False

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _job(self, transcript_id: str) -> dict[str, Any]:
        return json_object((await self._client.http_client.get(_path(transcript_id))).content)

    async def _recent(self) -> AsyncIterator[Mapping[str, Any]]:
        after: Cursor | None = None
        for _ in range(LOOK_BACK_PAGES):
            jobs, after = await self._page_of_jobs(after)
            for job in jobs:
                yield job
            if after is None:
                return

    async def _page_of_jobs(
        self, after: Cursor | None
    ) -> tuple[list[Mapping[str, Any]], Cursor | None]:
        """Return the readable jobs of a page of the list, and the cursor of the next page."""
        before_id = after.id if after else None
        page = await self._page(before_id)
        jobs = [job for job in items(page.get("transcripts")) if text_of(job.get("id"))]
        older = _older_than(page)
        return jobs, Cursor(None, older) if older and older != before_id else None

    async def _page(self, before_id: str | None) -> Mapping[str, Any]:
        asked = {"limit": str(PAGE)} | ({"before_id": before_id} if before_id else {})

        async def make() -> Mapping[str, Any]:
            page = json_object((await self._client.http_client.get(JOBS, params=asked)).content)
            if not isinstance(page.get("transcripts"), list):
                raise errors.Unreadable(ErrorCode.TRANSCRIPTION_UNAVAILABLE)
            return page

        try:
            return await called(retry.TRANSCRIPTION, make)
        except errors.Unreadable as error:
            # An unreadable list counts as a failure of the provider.
            raise Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE) from error


def http_client(api_key: str, base_url: str) -> AsyncClient:
    """Return the SDK's client, with its errors translated into ours."""
    settings = Settings(api_key=api_key, base_url=base_url)
    settings.http_timeout = retry.TRANSCRIPTION.timeout_s
    client = AsyncClient(settings=settings)
    # The SDK's exceptions quote URLs and drop `Retry-After`; this hook runs before the SDK raises.
    client.http_client.event_hooks["response"].append(_raise_for_status)
    return client


async def called(policy: retry.RetryPolicy, make: Callable[[], Awaitable[T]]) -> T:
    """Call the provider, with retries by `policy`, and return the result."""

    async def once() -> T:
        try:
            return await make()
        except httpx.TransportError as error:
            raise Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE) from error
        except httpx.RequestError as error:  # a response that cannot be unpacked
            raise errors.Unreadable(ErrorCode.TRANSCRIPTION_FAILED) from error

    return await retry.call(policy, ErrorCode.TRANSCRIPTION_UNAVAILABLE, once)


async def _raise_for_status(response: httpx.Response) -> None:
    if response.is_success:
        return
    body = await response.aread()
    raise refusal(response.status_code, _call_of(response.request), body, response.headers)


def _call_of(request: httpx.Request) -> Call:
    if request.url.path.endswith(UPLOADS):
        return Call.UPLOAD
    if request.method == "POST":
        return Call.ORDER
    return Call.LIST if request.url.path.endswith(JOBS) else Call.JOB


def _path(transcript_id: str) -> str:
    return f"{JOBS}/{quote(transcript_id, safe='')}"


def _older_than(page: Mapping[str, Any]) -> str | None:
    """Return the id before which the next page begins, from the URL of the next page."""
    details = page.get("page_details")
    url = text_of(details.get("prev_url")) if isinstance(details, Mapping) else ""
    try:
        return parse_qs(urlsplit(url).query).get("before_id", [None])[0]
    except ValueError:
        return None


def _status(found: Mapping[str, Any]) -> str:
    return text_of(found.get("status")).lower()


def _state(found: Mapping[str, Any]) -> Running | Transcribed | Failed:
    match _status(found):
        case "completed":
            transcript = transcript_of(found)
            if transcript is None:
                raise errors.Unreadable(ErrorCode.TRANSCRIPTION_FAILED)
            return Transcribed(transcript)
        case "error":
            return _failed(text_of(found.get("error")))
        case _:
            return Running()


def _known(item: Mapping[str, Any]) -> KnownJob:
    is_over = _status(item) in (COMPLETED, ERROR)
    audio_url, ordered_at = text_of(item.get("audio_url")), _instant(text_of(item.get("created")))
    return KnownJob(text_of(item.get("id")), audio_url, is_over, ordered_at)


def _instant(text: str) -> datetime | None:
    """Parse a time of the list; a time without a time zone is UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _failed(sentence: str) -> Failed:
    row = failed_job(sentence)
    return Failed(row.code, row.is_transient)
