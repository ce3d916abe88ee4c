"""The contract of `Transcriber`: one suite for the memory adapter and for every vendor."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from importlib import import_module

import httpx
import pytest

from lumimd.adapters.assemblyai.options import WEBHOOK_HEADER
from lumimd.adapters.assemblyai.transcriber import AssemblyAITranscriber
from lumimd.adapters.memory import MemoryAudioStore
from lumimd.domain.audio import UPLOADS, Audio
from lumimd.domain.errors import DeploymentFault, ProviderRefuses, Transient
from lumimd.domain.transcript import Transcript
from lumimd.policies import retry
from lumimd.ports.transcriber import Job, JobGone, Running, Transcribed, Transcriber
from lumimd.runtime import providers
from tests.contract.transcribers import OUTCOMES, Provider
from tests.contract.transcribers.assemblyai import adapter_for, script
from tests.support.services import upload


@pytest.fixture(params=["memory", *providers.names("transcriber")])
async def provider(request: pytest.FixtureRequest) -> AsyncIterator[Provider]:
    """Yield the memory provider or an installed vendor, started by a module in `transcribers/`."""
    module = import_module(f"tests.contract.transcribers.{request.param}")
    async with module.provided(request) as provider:
        yield provider


@pytest.fixture
def visit_id() -> str:
    return f"v-{uuid.uuid4().hex}"


async def url_of(audio: Audio) -> str:
    from datetime import timedelta

    return await MemoryAudioStore(audio.bucket).signed_url(audio, timedelta(hours=1))


async def ended(transcriber: Transcriber, transcript_id: str) -> Job:
    async with asyncio.timeout(10):
        while isinstance(
            (job := await transcriber.fetch(transcript_id)).state, Running
        ):  # the server sets the pace
            await asyncio.sleep(0.02)
    return job


@pytest.mark.parametrize("outcome", [name for name in OUTCOMES if name != "running"])
async def test_a_job_ends_with_the_scripted_outcome(
    provider: Provider, visit_id: str, outcome: str
) -> None:
    await provider.will_be(visit_id, outcome)
    audio = upload(visit_id).audio
    url = await url_of(audio)
    job_id = await provider.transcriber.submit(url, visit_id=visit_id, attempt=1)
    job = await ended(provider.transcriber, job_id)
    assert job.transcript_id == job_id
    assert audio.is_named_by(job.audio_url)
    expected = OUTCOMES[outcome]
    if isinstance(expected, Transcribed):
        assert isinstance(job.state, Transcribed)
        assert _words(job.state.transcript) == _words(expected.transcript)
        assert job.state.transcript.language_code == "en"
    else:
        assert job.state == expected


async def test_a_started_job_is_running(provider: Provider, visit_id: str) -> None:
    await provider.will_be(visit_id, "running")
    url = await url_of(upload(visit_id).audio)
    job_id = await provider.transcriber.submit(url, visit_id=visit_id, attempt=1)
    assert isinstance((await provider.transcriber.fetch(job_id)).state, Running)


async def test_fetching_an_unknown_job_raises_job_gone(provider: Provider) -> None:
    with pytest.raises(JobGone):
        await provider.transcriber.fetch(str(uuid.uuid4()))


async def test_find_returns_none_for_a_recording_without_a_job(
    provider: Provider, visit_id: str
) -> None:
    assert await provider.transcriber.find(upload(visit_id).audio) is None


async def test_a_job_is_found_by_its_recording(provider: Provider, visit_id: str) -> None:
    await provider.will_be(visit_id, "running")
    audio = upload(visit_id).audio
    job_id = await provider.transcriber.submit(await url_of(audio), visit_id=visit_id, attempt=1)
    assert await provider.transcriber.find(audio) == job_id
    assert await provider.transcriber.find(upload(visit_id, generation=2).audio) is None


async def test_find_skips_jobs_that_were_given_up(provider: Provider, visit_id: str) -> None:
    audio, jobs = upload(visit_id).audio, []
    for _ in range(2):
        await provider.will_be(visit_id, "running")
        url = await url_of(audio)
        jobs.append(await provider.transcriber.submit(url, visit_id=visit_id, attempt=1))
    assert await provider.transcriber.find(audio) == jobs[1]
    assert await provider.transcriber.find(audio, without=jobs[1:]) == jobs[0]
    assert await provider.transcriber.find(audio, without=jobs) is None


async def test_find_skips_failed_jobs(provider: Provider, visit_id: str) -> None:
    await provider.will_be(visit_id, "provider's fault")
    audio = upload(visit_id).audio
    url = await url_of(audio)
    failed = await provider.transcriber.submit(url, visit_id=visit_id, attempt=1)
    await ended(provider.transcriber, failed)
    assert await provider.transcriber.find(audio) is None


async def test_the_limits_of_a_provider_are_within_the_upload_limits(provider: Provider) -> None:
    limits = provider.transcriber.limits
    assert limits.max_bytes <= UPLOADS.max_bytes
    assert UPLOADS.min_seconds <= limits.min_seconds < limits.max_seconds <= UPLOADS.max_seconds


def _words(heard: Transcript) -> list[tuple[str, str, str]]:
    return [(each.id, each.speaker, each.text) for each in heard.utterances]


# Faults that only a provider behind HTTP can have.


@pytest.fixture
async def adapter(speech_url: str) -> AsyncIterator[AssemblyAITranscriber]:
    async with adapter_for(speech_url) as adapter:
        yield adapter


async def order(adapter: AssemblyAITranscriber, visit_id: str) -> str:
    url = await url_of(upload(visit_id).audio)
    return await adapter.submit(url, visit_id=visit_id, attempt=3)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = {"initial_s": 0.01, "jitter_s": 0.01}
    policy = retry.RetryPolicy(attempts=3, timeout_s=5, max_wait_s=1, **quick)
    monkeypatch.setattr(retry, "TRANSCRIPTION", policy)


async def test_an_order_has_the_webhook_url_with_visit_and_attempt_and_the_secret_header(
    adapter: AssemblyAITranscriber, speech_url: str, visit_id: str
) -> None:
    job_id = await order(adapter, visit_id)
    async with httpx.AsyncClient(base_url=speech_url) as http:
        found = (await http.get(f"/v2/transcript/{job_id}", headers={"authorization": "k"})).json()
    assert found["webhook_url"] == (f"http://127.0.0.1:9/unreachable?visit={visit_id}&attempt=3")
    assert found["webhook_auth_header_name"] == WEBHOOK_HEADER
    assert found["speaker_labels"] is True


@pytest.mark.parametrize("asked_s", [None, 7])
@pytest.mark.parametrize("status", [429, 500, 503])
async def test_the_adapter_never_retries_an_order(
    adapter: AssemblyAITranscriber,
    speech_url: str,
    visit_id: str,
    status: int,
    asked_s: int | None,
) -> None:
    fault = {"route": "submit", "status": status, "after_work": True, "retry_after_s": asked_s}
    await script(speech_url, visit_id, http=[fault])
    with pytest.raises(Transient) as raised:
        await order(adapter, visit_id)
    assert raised.value.retry_after_s == asked_s
    async with httpx.AsyncClient(base_url=speech_url) as http:
        jobs = (await http.get("/_local/bill")).json()["jobs"]
    assert sum(visit_id in job["audio_url"] for job in jobs) == 1


@pytest.mark.usefixtures("impatient")
async def test_a_lookup_is_retried_until_it_succeeds(
    adapter: AssemblyAITranscriber, speech_url: str, visit_id: str
) -> None:
    await script(speech_url, visit_id, http=[{"route": "get", "status": 500, "times": 2}])
    assert await adapter.fetch(await order(adapter, visit_id))


@pytest.mark.usefixtures("impatient")
async def test_a_lookup_raises_transient_after_the_attempts_of_the_retry_policy(
    adapter: AssemblyAITranscriber, speech_url: str, visit_id: str
) -> None:
    await script(speech_url, visit_id, http=[{"route": "get", "status": 500, "times": 3}])
    job_id = await order(adapter, visit_id)
    with pytest.raises(Transient):
        await adapter.fetch(job_id)
    assert await adapter.fetch(job_id), "three calls used up the three faults"


async def test_a_refused_order_is_not_retried(
    adapter: AssemblyAITranscriber, speech_url: str, visit_id: str
) -> None:
    await script(speech_url, visit_id, http=[{"route": "submit", "status": 400, "times": 1}])
    with pytest.raises(ProviderRefuses) as refused:
        await order(adapter, visit_id)
    assert refused.value.reason is DeploymentFault.REQUEST_REFUSED


async def test_an_unreachable_provider_is_transient() -> None:
    adapter = AssemblyAITranscriber(api_key="key", base_url="http://127.0.0.1:9", webhook=None)
    with pytest.raises(Transient):
        await order(adapter, "v1")
    await adapter.aclose()


async def test_a_deleted_job_is_gone(
    adapter: AssemblyAITranscriber, speech_url: str, visit_id: str
) -> None:
    job_id = await order(adapter, visit_id)
    await ended(adapter, job_id)
    async with httpx.AsyncClient(base_url=speech_url) as http:
        await http.delete(f"/v2/transcript/{job_id}", headers={"authorization": "k"})
    with pytest.raises(JobGone):
        await adapter.fetch(job_id)


async def test_no_error_quotes_a_signed_url(
    adapter: AssemblyAITranscriber, speech_url: str, visit_id: str
) -> None:
    await script(speech_url, visit_id, http=[{"route": "submit", "status": 400, "times": 1}])
    with pytest.raises(ProviderRefuses) as raised:
        await order(adapter, visit_id)
    assert "Signature" not in f"{raised.value!r} {raised.value.__cause__!r}"


async def test_only_the_jobs_of_the_recordings_in_a_folder_are_found_and_deleted(
    provider: Provider, visit_id: str
) -> None:
    transcriber, other_id = provider.transcriber, f"{visit_id}-x"
    for each in (visit_id, other_id):
        await provider.will_be(each, "transcribed")
    audio, other = upload(visit_id).audio, upload(other_id).audio
    folder = f"visits/user-1/{visit_id}/"
    job = await transcriber.submit(await url_of(audio), visit_id=visit_id, attempt=1)
    kept = await transcriber.submit(await url_of(other), visit_id=other_id, attempt=1)
    await ended(transcriber, job)
    await ended(transcriber, kept)
    assert list(await transcriber.jobs_below(audio.bucket, folder)) == [job]
    assert await transcriber.delete(job)
    assert not await transcriber.delete(job), "once is enough"
    with pytest.raises(JobGone):
        await transcriber.fetch(job)
    assert list(await transcriber.jobs_below(audio.bucket, folder)) == []
    assert await transcriber.find(audio) is None
    assert (await transcriber.fetch(kept)).transcript_id == kept


async def test_a_running_job_cannot_be_deleted_yet(provider: Provider, visit_id: str) -> None:
    await provider.will_be(visit_id, "running")
    url = await url_of(upload(visit_id).audio)
    job = await provider.transcriber.submit(url, visit_id=visit_id, attempt=1)
    with pytest.raises(Transient):
        await provider.transcriber.delete(job)
    assert (await provider.transcriber.fetch(job)).transcript_id == job


async def test_deleting_an_unknown_job_does_nothing(provider: Provider) -> None:
    assert not await provider.transcriber.delete("never-ordered")
