"""The health checks of the bucket and the providers, against servers that speak their protocols."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from lumimd.adapters.assemblyai.provider import TranscriptionProvider
from lumimd.adapters.google.storage import bucket_check, storage_client
from lumimd.adapters.openai.provider import SummaryProvider
from lumimd.ports.health_check import Check, Unhealthy


def transcriber_check(url: str, key: str) -> Check:
    return TranscriptionProvider(assemblyai_api_key=key, assemblyai_base_url=url).check()


def model_check(url: str, key: str) -> Check:
    return SummaryProvider(openai_api_key=key, openai_base_url=url).check()


@pytest.fixture
def refusing() -> Iterator[str]:
    """Start a stub server that accepts one key and returns 503 for paths under /v2."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.headers["Authorization"] in ("key", "Bearer key")
            broken = self.path.startswith("/v2") and known
            self.send_response(503 if broken else 200 if known else 401)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


async def test_the_transcriber_check_succeeds_with_a_valid_key(speech_url: str) -> None:
    assert await transcriber_check(speech_url, "key")() == "answers"


async def test_a_provider_check_distinguishes_a_refused_key_a_503_and_no_response(
    refusing: str,
) -> None:
    assert await model_check(refusing, "key")() == "answers"
    with pytest.raises(Unhealthy, match="refuses our key"):
        await model_check(refusing, "another")()
    with pytest.raises(Unhealthy, match="answers 503"):
        await transcriber_check(refusing, "key")()
    with pytest.raises(Unhealthy, match="does not answer"):
        await transcriber_check("http://127.0.0.1:9", "key")()


async def test_a_missing_bucket_is_unhealthy(storage_url: str) -> None:
    client = storage_client("demo-lumimd", storage_url)
    client.create_bucket("health-recordings")
    assert await bucket_check(client, "health-recordings")() == "the bucket is there"
    with pytest.raises(Unhealthy, match="no such bucket"):
        await bucket_check(client, "health-nothing")()
