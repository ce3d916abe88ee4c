"""`scripts/demo` ends with the reason when functions fail or the visit waits for a dependency.

The stack keeps the visits in memory, so that the functions run in the process of the tests and the
tests can break them.
"""

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from rich.console import Console

from infra.local import memory_functions
from infra.local.client import VisitDocuments
from infra.local.demo import SAMPLE, process_on_new_stack
from infra.local.memory_functions import FunctionsFailed
from infra.local.stack import Options
from lumimd.adapters.assemblyai.transcriber import AssemblyAITranscriber
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import DeploymentFault, ProviderRefuses
from lumimd.domain.visit import Status
from lumimd.pipeline import accept, recover, summarize
from lumimd.runtime import settings
from lumimd.runtime.services import uninstall
from lumimd.telemetry import logs

CANARY = "a word of the visit"
PATIENCE_S = 8.0
PLENTY_S = 600.0


class Demo:
    """Runs the demo with scripted speech, and keeps its output."""

    def __init__(self) -> None:
        self._output = io.StringIO()

    async def run(self, patience_s: float = PATIENCE_S) -> VisitDocuments | None:
        return await process_on_new_stack(
            SAMPLE,
            "demo-visit",
            Options(in_memory=True, scripted=True, env={}),
            Console(file=self._output, soft_wrap=True),
            patience_s=patience_s,
        )

    @property
    def printed(self) -> str:
        return self._output.getvalue()


@pytest_asyncio.fixture
async def demo(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Demo]:
    for name in ("ASSEMBLYAI_API_KEY", "OPENAI_API_KEY", "K_SERVICE"):
        monkeypatch.delenv(name, raising=False)
    settings.deployment.cache_clear()
    monkeypatch.setattr(memory_functions, "GRACE_S", 1)
    clients: list[AssemblyAITranscriber] = []
    build = AssemblyAITranscriber.__init__

    def build_and_remember(client: AssemblyAITranscriber, **arguments: Any) -> None:
        build(client, **arguments)
        clients.append(client)

    monkeypatch.setattr(AssemblyAITranscriber, "__init__", build_and_remember)
    yield Demo()
    for client in clients:  # needed, since this process does not end with the demo
        await client.aclose()
    uninstall()
    settings.deployment.cache_clear()
    logs.configure()


async def bug(*_: object, **__: object) -> None:
    raise RuntimeError(CANARY)


async def hang(*_: object, **__: object) -> None:
    await asyncio.Event().wait()


async def test_a_demo_without_faults_completes(demo: Demo) -> None:
    documents = await demo.run(PLENTY_S)
    assert documents is not None
    assert documents.visit.status is Status.COMPLETED
    assert "No progress" not in demo.printed


@pytest.mark.parametrize(
    ("step", "reasons"),
    [
        ("accept", ("no function has stored the visit", "The upload event got 500")),
        ("summarize", ("is at transcript ready", "A task got 500", "summary, RuntimeError")),
    ],
)
async def test_a_function_that_fails_at_every_call_ends_the_demo_with_that_error(
    demo: Demo, monkeypatch: pytest.MonkeyPatch, step: str, reasons: tuple[str, ...]
) -> None:
    monkeypatch.setattr({"accept": accept, "summarize": summarize}[step], step, bug)
    assert await demo.run() is None
    for reason in ("No progress for 8 s", "functions logged bug", "RuntimeError", *reasons):
        assert reason in demo.printed
    assert CANARY not in demo.printed


async def test_the_demo_names_a_scheduled_function_that_fails(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recover, "wake_due", bug)
    monkeypatch.setattr(accept, "accept", hang)
    assert await demo.run() is None
    assert "The job wake-due-visits got 500" in demo.printed


async def test_a_visit_that_waits_for_a_dependency_ends_the_demo_with_the_start_of_the_wait(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*_: object, **__: object) -> str:
        raise ProviderRefuses(ErrorCode.TRANSCRIPTION_UNAVAILABLE, DeploymentFault.KEY_REFUSED)

    monkeypatch.setattr(AssemblyAITranscriber, "submit", refused)
    assert await demo.run() is None
    assert "held since" in demo.printed


async def test_a_hanging_function_blocks_neither_the_demo_nor_its_end(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accept, "accept", hang)
    assert await demo.run() is None
    assert "The logs contain no failure." in demo.printed


async def test_functions_that_cannot_be_loaded_end_the_demo_at_once(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ImportError("no such module")

    monkeypatch.setattr(memory_functions, "create_asgi_app", broken)
    with pytest.raises(FunctionsFailed, match=r"ImportError: no such module .*test_demo_ends"):
        await demo.run(PLENTY_S)


async def test_bad_settings_end_the_demo_at_once(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUDIO_RETENTION_DAYS", "many")
    with pytest.raises(FunctionsFailed, match="AUDIO_RETENTION_DAYS"):
        await demo.run(PLENTY_S)
