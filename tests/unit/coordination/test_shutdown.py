"""Test that an instance hands back its work on shutdown and another instance continues soon."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Coroutine
from datetime import timedelta

import pytest

from lumimd.coordination import shutdown
from lumimd.domain.visit import ProcessingStatus, Visit
from lumimd.pipeline import accept, summarize
from tests.support.services import MemoryServices, transcribed

SOON = timedelta(minutes=3)


@pytest.fixture(autouse=True)
def _no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutdown, "SHUTDOWN_GRACE_S", 0.0)


class Unanswered:
    """A stub provider that receives a call and never responds."""

    def __init__(self) -> None:
        self.called = asyncio.Event()

    async def __call__(self, *args: object, **more: object) -> None:
        self.called.set()
        await asyncio.Event().wait()


async def interrupted(
    services: MemoryServices, work: Coroutine[object, object, None], provider: Unanswered
) -> Visit:
    """Shut the instance down while it works on a visit; returns the visit afterwards."""
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        tasks.create_task(work)
        await provider.called.wait()
        services.shutdown.begin()
    stored = await services.store.get("visit-1")
    assert stored is not None
    return stored.visit


async def test_a_submission_cancelled_by_a_shutdown_is_retried_soon_and_uses_up_no_try(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    services = MemoryServices()
    monkeypatch.setattr(services.transcriber, "submit", provider := Unanswered())
    visit = await interrupted(services, accept.accept(services, services.upload()), provider)
    assert visit.processing_status is ProcessingStatus.PENDING
    assert visit.stage_tries == 0
    assert visit.possible_orders == 1, "the next worker looks for the order before it pays"
    assert visit.wake_at is not None
    # The provider's list lags by half a minute, so that it shows the job by this time.
    assert timedelta(seconds=45) < visit.wake_at - services.clock.now() <= SOON


async def test_a_summary_cancelled_by_a_shutdown_is_retried_soon_and_uses_up_no_try(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    services = MemoryServices()
    await transcribed(services)
    monkeypatch.setattr(services.summarizer, "summarize", provider := Unanswered())
    visit = await interrupted(services, summarize.summarize(services, "visit-1", 1), provider)
    assert visit.processing_status is ProcessingStatus.SUMMARIZING
    assert visit.stage_tries == 0
    assert visit.wake_at is not None
    assert visit.wake_at - services.clock.now() <= SOON


async def never_ends(ending: shutdown.GracefulShutdown, within_s: float) -> None:
    async with asyncio.timeout(within_s) as limit:
        with ending.cuts(limit):
            await asyncio.Event().wait()


async def test_work_that_begins_during_the_shutdown_is_cancelled_too() -> None:
    ending = shutdown.GracefulShutdown()
    ending.begin()
    with pytest.raises(TimeoutError):
        await never_ends(ending, 3600)


async def test_the_shutdown_never_extends_a_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutdown, "SHUTDOWN_GRACE_S", 3600.0)
    ending = shutdown.GracefulShutdown()
    ending.begin()
    with pytest.raises(TimeoutError):
        await never_ends(ending, 0)


def test_without_a_handler_sigterm_ends_the_process() -> None:
    program = """
import asyncio, os, signal
from lumimd.coordination.shutdown import GracefulShutdown

async def main():
    GracefulShutdown().begin_on_sigterm()
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(60)

asyncio.run(main())
"""
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": ":".join(filter(None, sys.path))},
        timeout=30,
        check=False,
    )
    assert ran.returncode == -signal.SIGTERM


def test_an_existing_sigterm_handler_runs_beside_the_shutdown_handler() -> None:
    """The server runs in another process, because the signal would end the test process."""
    program = """
import asyncio, signal
from lumimd.coordination.shutdown import GracefulShutdown

async def main():
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    signal.signal(signal.SIGTERM, lambda *_: loop.call_soon_threadsafe(over.set))
    ending = GracefulShutdown()
    ending.begin_on_sigterm()
    print("up", flush=True)
    await over.wait()
    await asyncio.sleep(0)
    print(ending.has_begun, flush=True)

asyncio.run(main())
"""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": ":".join(filter(None, sys.path))},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        os.kill(process.pid, signal.SIGTERM)
        assert process.stdout.read().splitlines()[-1] == "True"
        assert process.wait(timeout=10) == 0
