"""Test uploads of recordings to a provider that cannot reach the bucket."""

from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest
from assemblyai import AsyncClient

from lumimd.adapters.assemblyai import upload
from lumimd.adapters.assemblyai.transcriber import http_client
from lumimd.domain.errors import ProviderRefuses, Transient, Unreadable
from lumimd.policies import retry

URL = "https://cdn.provider.invalid/upload/1"

Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answer], None]:
    """Return a function that sets the provider's response to every request."""

    def set_answer(answer: Answer) -> None:
        def client(api_key: str, base_url: str) -> AsyncClient:
            made = http_client(api_key, base_url)
            made.http_client._transport = httpx.MockTransport(answer)
            made.http_client._mounts = {}
            return made

        monkeypatch.setattr(upload, "http_client", client)

    return set_answer


async def uploaded() -> str:
    return await upload.uploaded("key", "http://provider.invalid", b"the recording")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = replace(retry.AUDIO, initial_s=0.001, max_wait_s=0.002, jitter_s=0.001)
    monkeypatch.setattr(retry, "AUDIO", quick)


async def test_an_upload_sends_the_recording_and_returns_the_url_of_the_copy(
    answers: Callable[[Answer], None],
) -> None:
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json={"upload_url": URL})

    answers(answer)
    assert await uploaded() == URL
    (request,) = sent
    assert request.content == b"the recording"
    assert request.headers["authorization"] == "key"
    assert request.url.path == "/v2/upload"


async def test_an_upload_is_retried_after_a_provider_error(
    answers: Callable[[Answer], None],
) -> None:
    statuses = [503, 200]
    answers(lambda _: httpx.Response(statuses.pop(0), json={"upload_url": URL, "error": "busy"}))
    assert await uploaded() == URL
    assert not statuses


async def test_an_upload_to_a_provider_that_is_down_ends_after_a_few_tries(
    answers: Callable[[Answer], None],
) -> None:
    tries = []

    def answer(request: httpx.Request) -> httpx.Response:
        tries.append(request)
        raise httpx.ConnectError("refused")

    answers(answer)
    with pytest.raises(Transient):
        await uploaded()
    assert len(tries) == retry.AUDIO.attempts


@pytest.mark.parametrize("body", [b"{}", b'{"upload_url": ""}', b'{"upload_url": 7}', b"[]", b"x"])
async def test_an_upload_response_without_a_url_is_unreadable(
    body: bytes, answers: Callable[[Answer], None]
) -> None:
    answers(lambda _: httpx.Response(200, content=body))
    with pytest.raises(Unreadable):
        await uploaded()


async def test_an_upload_with_a_refused_key_is_an_account_or_configuration_fault(
    answers: Callable[[Answer], None],
) -> None:
    answers(lambda _: httpx.Response(401, json={"error": "Unauthorized"}))
    with pytest.raises(ProviderRefuses):
        await uploaded()
