"""Responses that deviate from AssemblyAI's documentation are tolerated or end in bounded time."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lumimd.adapters.assemblyai.fields import json_object
from lumimd.domain.audio import UPLOADS
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Transient, Unanswered, Unreadable
from lumimd.domain.visit import ProcessingStatus, Status
from lumimd.pipeline import accept, collect, recover
from lumimd.policies import retry
from lumimd.policies.job_limit import LONGEST, MARGIN, job_limit
from tests.support.assemblyai_provider import DONE, RUNNING, Provider, saying
from tests.support.services import MemoryServices, upload
from tests.support.visits import run_tasks, visit_of


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    quick = {"initial_s": 0.001, "max_wait_s": 0.01, "jitter_s": 0.001}
    monkeypatch.setattr(retry, "TRANSCRIPTION", replace(retry.TRANSCRIPTION, **quick))
    return


UNREADABLE = {
    "a web page": "<html>Sign in to the hotel's network</html>",
    "truncated": json.dumps({"id": "job-0", **DONE})[:-40],
    "a list": "[]",
    "null": "null",
    "nothing": "",
    "bytes": b"\xff\xfe\x00",
    "a number of ten thousand digits": '{"id": "job-0", "audio_duration": ' + "9" * 10_000 + "}",
    "nested without end": "[" * 100_000,
    "done, and nothing of it is there": json.dumps({"id": "job-0", "status": "completed"}),
    "done, and all of it is null": json.dumps(
        {"id": "job-0", "status": "completed", "text": None, "words": None, "utterances": None}
    ),
    "done, and its words cannot be understood": json.dumps(
        {"id": "job-0", "status": "completed", "text": 5, "words": "hello"}
    ),
}


@pytest.mark.parametrize("case", UNREADABLE)
async def test_an_unreadable_job_is_given_up_within_its_time_limit(case: str) -> None:
    provider = Provider()
    services = MemoryServices(transcriber=provider.transcriber())  # type: ignore[arg-type]
    await accept.accept(services, services.upload())
    provider.trouble = {"job": saying(UNREADABLE[case])}
    limit = job_limit((await visit_of(services)).audio.duration_seconds)  # type: ignore[union-attr]
    for _ in range(3 * int(limit.total_seconds() // 600) + 30):
        services.clock.advance(timedelta(minutes=10))
        await recover.wake_due(services)
    visit = await visit_of(services)
    assert visit.status is Status.FAILED
    assert visit.processing_error is not None
    assert visit.processing_error.code is ErrorCode.TRANSCRIPTION_FAILED
    assert visit.processing_error.retryable
    assert provider.asked["order"] == 1 + collect.MAX_RESTARTS
    assert provider.asked["job"] < 400, "put aside for longer and longer"


async def test_a_job_that_becomes_readable_completes_the_visit() -> None:
    provider = Provider()
    services = MemoryServices(transcriber=provider.transcriber())  # type: ignore[arg-type]
    await accept.accept(services, services.upload())
    provider.trouble = {"job": saying(UNREADABLE["a web page"])}
    for _ in range(60):
        services.clock.advance(timedelta(minutes=1))
        await recover.wake_due(services)
    provider.trouble.clear()
    for _ in range(15):
        services.clock.advance(timedelta(minutes=1))
        await recover.wake_due(services)
        await run_tasks(services)
    assert (await visit_of(services)).status is Status.COMPLETED
    assert len(provider.jobs) == 1


@pytest.mark.parametrize(
    "bug", [ValueError(), KeyError("x"), UnicodeEncodeError("u", "", 0, 1, "")]
)
async def test_an_unexpected_exception_in_fetch_is_raised_and_fails_the_visit_in_bounded_time(
    bug: Exception,
) -> None:
    class Broken:
        provider = "memory"
        limits = UPLOADS
        orders = 0

        async def submit(self, *args: object, **more: object) -> str:
            self.orders += 1
            return f"job-{self.orders}"

        async def find(self, *args: object, **more: object) -> None:
            return None

        async def fetch(self, transcript_id: str) -> object:
            raise bug

    services = MemoryServices(transcriber=Broken())  # type: ignore[arg-type]
    await accept.accept(services, services.upload())
    seen, hours = 0, 0
    while (visit := await visit_of(services)).status is Status.PROCESSING:
        hours += 1
        assert hours < 6 * 24
        services.clock.advance(timedelta(minutes=10))
        try:
            await recover.wake_due(services)
        except ExceptionGroup as group:
            seen += len(group.exceptions)
    assert visit.processing_error is not None
    assert visit.processing_error.code is ErrorCode.TRANSCRIPTION_FAILED
    assert seen > 5


@pytest.mark.parametrize("case", ["a web page", "truncated", "a list", "nothing"])
async def test_a_job_whose_order_got_an_unreadable_response_is_found_and_used(case: str) -> None:
    provider = Provider()
    services = MemoryServices(transcriber=provider.transcriber())  # type: ignore[arg-type]
    answer = provider.answer

    def garbled(request: Any) -> Any:
        answered = answer(request)
        return saying(UNREADABLE[case])() if request.method == "POST" else answered

    adapter = services.transcriber
    adapter._client.http_client._transport.handler = garbled  # type: ignore[attr-defined]
    with pytest.raises(Unanswered):
        await adapter.submit("https://a.invalid/b/c?generation=1", visit_id="v", attempt=1)
    await accept.accept(services, services.upload())
    for _ in range(10):
        services.clock.advance(timedelta(minutes=1))
        await recover.wake_due(services)
        await run_tasks(services)
    assert (await visit_of(services)).status is Status.COMPLETED
    assert provider.asked["order"] == 2


# The list


def test_unreadable_is_transient_and_does_not_quote_the_response() -> None:
    assert issubclass(Unreadable, Transient)
    with pytest.raises(Unreadable) as raised:
        json_object(b"<html>a secret</html>")
    assert raised.value.__cause__ is None
    assert "secret" not in repr(raised.value)


BAD_ITEMS: list[Any] = [
    None,
    5,
    "job",
    {},
    {"id": None},
    {"id": "x", "audio_url": None},
    [],
    {"id": 5},
]


async def test_an_unreadable_item_of_the_list_is_skipped() -> None:
    def page(jobs: list[Any]) -> Any:
        mixed = [item for job in jobs for item in (*BAD_ITEMS, {**job, "status": "new"})]
        return {"transcripts": [*mixed, *BAD_ITEMS], "page_details": {"prev_url": 5}}

    provider = Provider(state=dict(RUNNING), page=page)
    adapter = provider.transcriber()
    audio = upload("v1").audio
    url = f"https://storage.invalid/{audio.bucket}/{audio.storage_path}?generation=1&X=1"
    job = await adapter.submit(url, visit_id="v1", attempt=1)
    assert await adapter.find(audio) == job
    assert await adapter.find(audio, without={job}) is None
    assert await adapter.jobs_below(audio.bucket, "visits/user-1/v1/") == [job]
    assert [known.transcript_id for known in (await adapter.listed()).items] == ["x", job, "x"]


@pytest.mark.parametrize(
    "answer", ["<html>", "[]", '{"transcripts": null}', '{"transcripts": 5}', ""]
)
async def test_an_unreadable_job_list_raises_transient_but_not_unreadable(answer: str) -> None:
    provider = Provider(trouble={"list": saying(answer)})
    adapter = provider.transcriber()
    for look in (adapter.listed, lambda: adapter.find(upload("v1").audio)):
        with pytest.raises(Transient) as raised:
            await look()
        assert not isinstance(raised.value, Unreadable)


async def test_reading_a_job_list_whose_pages_form_a_cycle_ends() -> None:
    def page(jobs: list[Any]) -> Any:
        details = {"prev_url": "https://p.invalid/v2/transcript?before_id=job-0"}
        return {"transcripts": jobs, "page_details": details}

    provider = Provider(page=page)
    assert await provider.transcriber().find(upload("v1").audio) is None
    assert provider.asked["list"] == 2


@pytest.mark.parametrize("case", ["a web page", "truncated", "a list"])
async def test_deleting_a_job_with_an_unreadable_state_raises_transient(case: str) -> None:
    provider = Provider(trouble={"job": saying(UNREADABLE[case])})
    with pytest.raises(Transient):
        await provider.transcriber().delete("job-0")


# Limits


@pytest.mark.parametrize(
    ("seconds", "limit"),
    [
        (None, LONGEST),
        (0.0, MARGIN),
        (300.0, MARGIN + timedelta(minutes=5)),
        (36_000.0, LONGEST),
        (10.0**9, LONGEST),
    ],
)
def test_the_time_limit_of_a_job_is_the_duration_of_its_recording_plus_a_margin(
    seconds: float | None, limit: timedelta
) -> None:
    assert job_limit(seconds) == limit


async def test_a_given_up_job_that_completes_before_the_next_order_is_used() -> None:
    provider = Provider(state=dict(RUNNING))
    services = MemoryServices(transcriber=provider.transcriber())  # type: ignore[arg-type]
    await accept.accept(services, services.upload())
    while (visit := await visit_of(services)).processing_status is ProcessingStatus.TRANSCRIBING:
        services.clock.advance(timedelta(minutes=10))
        await recover.wake_due(services)
    assert visit.given_up_jobs == ("job-0",)
    provider.jobs["job-0"].update(DONE)
    for _ in range(5):
        services.clock.advance(timedelta(minutes=1))
        await recover.wake_due(services)
        await run_tasks(services)
    assert (await visit_of(services)).status is Status.COMPLETED
    assert provider.asked["order"] == 1
