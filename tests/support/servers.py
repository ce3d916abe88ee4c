"""Start local servers for tests, in a thread with its own event loop."""

import asyncio
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.local.emulators import EmulatorMissing
from infra.local.supervision.processes import Process, Processes


@contextmanager
def running(
    processes: Sequence[Process], run_dir: Path, start_timeout_s: float = 90
) -> Iterator[None]:
    """Start the processes, wait until they are healthy, and end them on exit."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    stack = Processes(processes, run_dir=run_dir)
    try:
        asyncio.run_coroutine_threadsafe(stack.__aenter__(), loop).result(timeout=start_timeout_s)
        try:
            yield
        finally:
            closing = asyncio.run_coroutine_threadsafe(stack.__aexit__(None, None, None), loop)
            closing.result(timeout=30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def skipped_without_emulators() -> Iterator[None]:
    """Skip the test if an emulator is missing on a developer's machine; fail it in CI."""
    try:
        yield
    except EmulatorMissing as missing:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(missing))
