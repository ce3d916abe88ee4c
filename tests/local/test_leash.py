"""No process of the stack outlives the launcher, however the launcher ends."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from infra.local.supervision.process import LEASH
from tests.local.family import pids, runs, survivors

REPOSITORY = Path(__file__).parents[2]

LAUNCHER = """
import asyncio, signal, sys
from pathlib import Path
from infra.local.supervision.processes import Processes
from tests.local.family import family

async def main(folder):
    async with Processes([family(folder)], run_dir=folder):
        print("up", flush=True)
        await asyncio.Event().wait()

signal.signal(signal.SIGINT, signal.default_int_handler)
for name in ("SIGHUP", "SIGTERM"):
    signal.signal(signal.Signals[name], signal.SIG_DFL)
for name in sys.argv[2:]:
    signal.signal(signal.Signals[name], signal.SIG_IGN)
asyncio.run(main(Path(sys.argv[1])))
"""
"""A launcher that sets its signal handlers, because it would inherit those of the tests' shell."""


@asynccontextmanager
async def launcher(
    folder: Path, *, ignored: Sequence[signal.Signals] = ()
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start a launcher in its own process; enter the context when its family of processes is up."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", LAUNCHER, str(folder), *(each.name for each in ignored)),
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"up\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def await_end_of(processes: list[int], timeout_s: float = 10) -> None:
    """Poll until the processes have ended; wait() is impossible, as they are not our children."""
    deadline = time.monotonic() + timeout_s
    while left := [pid for pid in processes if runs(pid)]:
        assert time.monotonic() < deadline, f"still running: {left}"
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
async def test_a_signal_that_ends_the_launcher_ends_all_its_processes(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with launcher(tmp_path) as process:
        process.send_signal(number)
        await process.wait()
    await_end_of(pids(tmp_path))
    assert not survivors(tmp_path)


async def test_a_launcher_that_ignores_sighup_runs_until_it_is_stopped(tmp_path: Path) -> None:
    """nohup ignores SIGHUP like this; a script's background job ignores SIGINT in the same way."""
    ignored = (signal.SIGHUP, signal.SIGINT)
    async with launcher(tmp_path, ignored=ignored) as process:
        for number in ignored:
            process.send_signal(number)
        assert all(runs(pid) for pid in pids(tmp_path))
        assert process.returncode is None
        process.terminate()
        assert await process.wait() == 1  # a normal exit, not by a signal
    await_end_of(pids(tmp_path))


def parent_of(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text()  # pid (name) state parent ...
    return int(stat.rpartition(")")[2].split()[1])


async def test_killing_the_leash_process_ends_the_command(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("PR_SET_PDEATHSIG is Linux only")
    async with launcher(tmp_path):
        _, parent, _ = family_members = pids(tmp_path)
        os.kill(parent_of(parent), signal.SIGKILL)
        await_end_of([parent])
        for pid in family_members:  # a known limit: without the leash, children keep running
            if runs(pid):
                os.kill(pid, signal.SIGKILL)


def leashed(*command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(LEASH), "--", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


@pytest.mark.parametrize(
    ("code", "answer"),
    [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143), ("kill -KILL $$", 137)],
)
def test_the_leash_ends_with_the_exit_code_of_its_command(code: str, answer: int) -> None:
    with leashed("sh", "-c", code) as process:
        assert process.wait(timeout=10) == answer


def test_the_leash_names_a_command_that_cannot_be_started(tmp_path: Path) -> None:
    with leashed(str(tmp_path)) as process:
        assert process.stdout is not None
        assert process.stdout.read() == f"cannot start {tmp_path}: Permission denied\n".encode()
        assert process.wait(timeout=10) == 127


def test_sigterm_is_forwarded_and_the_leash_waits_for_the_command() -> None:
    code = (
        "import signal, sys\n"
        "def end(*_):\n    print('ending', flush=True)\n    sys.exit(5)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "print('up', flush=True)\n"
        "signal.pause()"
    )
    with leashed(sys.executable, "-S", "-c", code) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        process.terminate()
        assert process.stdout.readline() == b"ending\n"
        assert process.wait(timeout=10) == 5


@pytest.mark.parametrize("inherited", ["ignored", "blocked"])
def test_the_command_inherits_no_ignored_or_blocked_signal(inherited: str) -> None:
    if sys.platform != "linux":
        pytest.skip("/proc is Linux only")
    numbers = "signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGUSR1"
    change = (
        f"for number in ({numbers}): signal.signal(number, signal.SIG_IGN)"
        if inherited == "ignored"
        else f"signal.pthread_sigmask(signal.SIG_BLOCK, ({numbers}))"
    )
    leash = [sys.executable, "-I", "-S", str(LEASH), "--", "grep", "^Sig[BI]", "/proc/self/status"]
    code = f"import os, signal\n{change}\nos.execv({leash[0]!r}, {leash!r})"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        printed = process.stdout.read()
        assert process.wait(timeout=10) == 0
    masks = dict(line.split(":\t") for line in printed.splitlines())
    # 32 and 33 belong to the C library: its posix_spawn, which Python 3.13 uses, ignores them.
    settable = sum(1 << (number - 1) for number in signal.valid_signals())
    assert {int(mask, 16) & settable for mask in masks.values()} == {0}, masks


def test_the_leash_ends_the_descendants_of_its_command() -> None:
    with leashed("sh", "-c", "sleep 3600 & echo $!") as process:
        assert process.stdout is not None
        left = int(process.stdout.readline())
        assert process.wait(timeout=10) == 0
        assert not runs(left)


def test_the_command_does_not_inherit_the_pipe_of_the_leash() -> None:
    with leashed("cat") as process:
        assert process.wait(timeout=10) == 0  # at once: its standard input is empty
