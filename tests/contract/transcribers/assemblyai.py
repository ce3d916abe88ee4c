"""Provide AssemblyAI's SDK with a local server that speaks AssemblyAI's protocol."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx
import pytest

from lumimd.adapters.assemblyai.transcriber import AssemblyAITranscriber
from lumimd.runtime import providers
from tests.contract.transcribers import Provider
from tests.support.services import DIALOGUE

SECRET: Final = "a-secret-of-the-webhook"
WEBHOOK: Final = "http://127.0.0.1:9/unreachable"
UTTERANCES: Final = [{"speaker": speaker, "text": text} for speaker, text in DIALOGUE]
SILENT: Final = "Audio speech threshold 0.0 is below the requested speech threshold value 0.02"

SCRIPTS: Final[dict[str, dict[str, Any]]] = {
    "running": {"delay_s": 600},
    "transcribed": {"utterances": UTTERANCES},
    "silent": {"error": SILENT},
    "too short": {"error": "Audio duration is too short."},
    "provider's fault": {"error": "Server error, developers have been alerted."},
}


@asynccontextmanager
async def provided(request: pytest.FixtureRequest) -> AsyncIterator[Provider]:
    url = request.getfixturevalue("speech_url")
    async with adapter_for(url) as adapter:

        async def will_be(visit_id: str, outcome: str) -> None:
            await script(url, visit_id, times=1, **SCRIPTS[outcome])

        yield Provider(adapter, will_be)


@asynccontextmanager
async def adapter_for(url: str) -> AsyncIterator[AssemblyAITranscriber]:
    """Yield the adapter, built from settings as in a deployment."""
    vendor = providers.load("transcriber", "assemblyai")
    adapter = vendor(assemblyai_api_key="key", assemblyai_base_url=url).transcriber(WEBHOOK, SECRET)
    yield adapter
    await adapter.aclose()


async def script(speech_url: str, visit_id: str, **fields: Any) -> None:
    async with httpx.AsyncClient(base_url=speech_url) as http:
        answer = await http.post("/_local/scripts", json={"match": f"/{visit_id}/", **fields})
        assert answer.status_code == 200, answer.text
