"""Copies of recordings at the provider, for a bucket that it cannot reach."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from lumimd.adapters.assemblyai.upload import UploadedAudioStore
from lumimd.domain.errors import ProviderRefuses, Transient, Unreadable
from lumimd.policies import retry

AUDIO: Any = object()
URL = "https://cdn.provider.invalid/upload/1"
HOUR = timedelta(hours=1)
SINCE = datetime(2026, 3, 1, tzinfo=UTC)

Answer = Callable[[httpx.Request], httpx.Response]


class Bucket:
    """Notes the calls; each answer names its call."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        async def call(*args: Any, **named: Any) -> Any:
            self.calls.append((name, *args, *named.values()))
            return b"the recording" if name == "read" else name

        return call


def store_over(answer: Answer) -> tuple[UploadedAudioStore, Bucket]:
    bucket: Any = Bucket()
    store = UploadedAudioStore(bucket, api_key="key", base_url="http://provider.invalid")
    http = store._client.http_client
    http._transport, http._mounts = httpx.MockTransport(answer), {}
    return store, bucket


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = replace(retry.AUDIO, initial_s=0.001, max_wait_s=0.002, jitter_s=0.001)
    monkeypatch.setattr(retry, "AUDIO", quick)


async def test_the_provider_gets_the_recording_and_names_its_copy() -> None:
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json={"upload_url": URL})

    store, bucket = store_over(answer)
    assert await store.signed_url(AUDIO, HOUR) == URL
    assert bucket.calls == [("read", AUDIO)]
    (request,) = sent
    assert request.content == b"the recording"
    assert request.headers["authorization"] == "key"
    assert request.url.path == "/v2/upload"


async def test_an_upload_is_repeated_after_an_error_of_the_provider() -> None:
    statuses = [503, 200]
    store, _ = store_over(
        lambda _: httpx.Response(statuses.pop(0), json={"upload_url": URL, "error": "busy"})
    )
    assert await store.signed_url(AUDIO, HOUR) == URL
    assert not statuses


async def test_a_provider_that_is_down_is_tried_a_bounded_number_of_times() -> None:
    tries = []

    def answer(request: httpx.Request) -> httpx.Response:
        tries.append(request)
        raise httpx.ConnectError("refused")

    store, _ = store_over(answer)
    with pytest.raises(Transient):
        await store.signed_url(AUDIO, HOUR)
    assert len(tries) == retry.AUDIO.attempts


@pytest.mark.parametrize("body", [b"{}", b'{"upload_url": ""}', b'{"upload_url": 7}', b"[]", b"x"])
async def test_an_answer_without_a_copy_is_unreadable(body: bytes) -> None:
    store, _ = store_over(lambda _: httpx.Response(200, content=body))
    with pytest.raises(Unreadable):
        await store.signed_url(AUDIO, HOUR)


async def test_a_refused_key_is_a_fault_of_the_deployment() -> None:
    store, _ = store_over(lambda _: httpx.Response(401, json={"error": "Unauthorized"}))
    with pytest.raises(ProviderRefuses):
        await store.signed_url(AUDIO, HOUR)


async def test_everything_else_is_the_buckets() -> None:
    store, bucket = store_over(lambda _: httpx.Response(500))
    assert await store.measure(AUDIO) == "measure"
    assert await store.has("b", "visits/u/v/") == "has"
    assert await store.uploads("b", SINCE) == "uploads"
    assert await store.hold("b", "visits/u/v/", held=True) == "hold"
    assert await store.erase("b", "visits/u/v/", 5) == "erase"
    assert bucket.calls == [
        ("measure", AUDIO),
        ("has", "b", "visits/u/v/"),
        ("uploads", "b", SINCE, None),
        ("hold", "b", "visits/u/v/", True),
        ("erase", "b", "visits/u/v/", 5),
    ]
