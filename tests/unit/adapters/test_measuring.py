"""Test the pool of confined processes that read durations; a killed process is replaced."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lumimd.adapters.measuring import pool as pools
from lumimd.adapters.measuring import process as processes
from lumimd.adapters.measuring.limits import ADDRESS_SPACE, LARGE, MIB, WORKERS
from lumimd.adapters.measuring.pool import Pool
from lumimd.adapters.measuring.process import Process
from lumimd.adapters.measuring.recording import Budget, TooCostly
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import MeasuringDied, Permanent, Transient
from tests.support.recordings import FORMATS, recorded
from tests.support.services import tone

WAV = tone(seconds=3)
NARROW = Budget(cpu_s=1, bytes=300_000, jumps=10)
"""A budget that suffices to recognize a recording but not to count its frames."""


AAC = recorded(FORMATS["aac"]) * 4


def aac(offset: int, length: int) -> bytes:
    return AAC[offset : offset + length]


def wav(offset: int, length: int) -> bytes:
    return WAV[offset : offset + length]


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    pool = Pool()
    yield pool
    await asyncio.to_thread(pool.close)


def seconds(process: Process) -> float | None:
    return process.measure(wav, len(WAV), Budget(1, 10**6, 10)).seconds


def starts(pool: Pool) -> list[int]:
    """Return how often each used process of the pool was started."""
    return [each.starts for each in pool.processes if each.starts]


async def test_twenty_ordinary_recordings_are_measured_by_one_process(pool: Pool) -> None:
    for _ in range(20):
        measured = await pool.measure("ann", len(WAV), wav)
        assert measured.seconds == pytest.approx(3)
    assert starts(pool) == [1]


async def test_many_waiting_recordings_share_few_processes(pool: Pool) -> None:
    await asyncio.gather(*(pool.measure(f"u{n % 9}", len(WAV), wav) for n in range(100)))
    assert len(starts(pool)) <= WORKERS
    assert set(starts(pool)) == {1}


async def test_a_bucket_error_is_raised_and_the_measuring_process_is_reused(
    pool: Pool,
) -> None:
    class Unavailable(Exception):
        pass

    def read(offset: int, length: int) -> bytes:
        raise Unavailable

    with pytest.raises(Unavailable):
        await pool.measure("ann", len(WAV), read)
    assert (await pool.measure("ann", len(WAV), wav)).seconds == pytest.approx(3)
    assert starts(pool) == [1]


@pytest.mark.parametrize("size", [len(AAC), LARGE])
async def test_a_large_costly_recording_has_no_length_and_a_small_one_is_unreadable(
    pool: Pool, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "FIRST_LOOK", NARROW)
    monkeypatch.setattr(pools, "SLOW", NARROW)
    if size == LARGE:
        assert (await pool.measure("ann", size, aac)).seconds is None
        return
    with pytest.raises(Permanent) as raised:
        await pool.measure("ann", size, aac)
    assert raised.value.code is ErrorCode.AUDIO_UNREADABLE


async def test_a_recording_over_the_first_look_budget_is_measured_in_the_slow_lane(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "FIRST_LOOK", NARROW)
    assert (await pool.measure("ann", len(AAC), aac)).seconds == pytest.approx(48, abs=0.3)


async def test_after_a_cancelled_measurement_the_next_recording_is_measured(pool: Pool) -> None:
    reads = 0

    def endless(offset: int, length: int) -> bytes:
        nonlocal reads
        reads += 1
        loop.call_soon_threadsafe(begun.set)
        return b"RIFF\0\0\0\0WAVE" if not offset else b"abcd\0\x10\0\0".ljust(length, b"\0")

    loop, begun = asyncio.get_running_loop(), asyncio.Event()
    unwanted = asyncio.create_task(pool.measure("ann", 10**12, endless))
    await begun.wait()
    unwanted.cancel()
    with suppress(asyncio.CancelledError):
        await unwanted
    assert (await pool.measure("bob", len(WAV), wav)).seconds == pytest.approx(3)


def stand_in(reader: str) -> Process:
    """Run the worker with a stub in place of the real reader."""
    code = f"from lumimd.adapters.measuring import worker\n{reader}\nworker.main()"
    return Process([sys.executable, "-c", code])


@pytest.fixture
def spinning() -> Iterator[Process]:
    process = stand_in("def spin(_):\n while True: pass\nworker.seconds_of = spin")
    yield process
    process.stop()


def test_a_reader_that_never_returns_is_killed_at_its_cpu_limit(
    spinning: Process,
) -> None:
    for starts in (1, 2):
        with pytest.raises(TooCostly):
            spinning.measure(wav, len(WAV), Budget(0.01, 10**6, 10))
        assert spinning.starts == starts


@pytest.mark.parametrize(
    "harm",
    [
        "open('/etc/hostname')",
        "__import__('socket').socket()",
        "__import__('subprocess').run(['true'])",
        "__import__('os').kill(__import__('os').getpid(), 11)",
    ],
)
def test_a_reader_that_opens_a_file_or_socket_or_starts_a_process_dies(harm: str) -> None:
    process = stand_in(f"import socket, subprocess\nworker.seconds_of = lambda _: {harm}")
    with pytest.raises(MeasuringDied):
        seconds(process)
    process.stop()


def test_a_reader_over_its_memory_limit_raises_too_costly() -> None:
    process = stand_in(f"worker.seconds_of = lambda _: float(len(bytearray({ADDRESS_SPACE})))")
    with pytest.raises(TooCostly):
        seconds(process)
    process.stop()
    assert ADDRESS_SPACE < 200 * MIB


def test_a_killed_measuring_process_is_replaced_for_the_next_recording() -> None:
    process = Process()

    def kills(offset: int, length: int) -> bytes:
        assert process.pid
        os.kill(process.pid, signal.SIGKILL)
        return wav(offset, length)

    with pytest.raises(MeasuringDied):
        process.measure(kills, len(WAV), Budget(1, 10**6, 10))
    assert seconds(process) == pytest.approx(3)
    assert process.starts == 2
    process.stop()


def test_a_process_that_does_not_answer_is_ended_with_a_transient_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processes, "SILENT_FOR_S", 0.01)
    process = Process([sys.executable, "-c", "import sys; sys.stdin.read()"])
    with pytest.raises(Transient) as raised:
        seconds(process)
    assert not isinstance(raised.value, MeasuringDied)
    assert process.pid is None


def test_a_measuring_process_gets_no_keys_and_can_open_no_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ASSEMBLYAI_API_KEY", "secret")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/key.json")
    process = Process()
    seconds(process)
    about = Path(f"/proc/{process.pid}")
    if not about.is_dir():
        pytest.skip("needs /proc")
    environment = (about / "environ").read_bytes()
    limits = (about / "limits").read_text()
    process.stop()
    assert b"secret" not in environment
    assert b"key.json" not in environment
    assert "Max open files            3 " in limits


PARENT = """
import asyncio, os, signal, sys
from lumimd.adapters.measuring.pool import pool
data = open(sys.argv[1], "rb").read()
def read(offset, length):
    return data[offset : offset + length]
asyncio.run(pool().measure("ann", len(data), read))
print(pool().processes[0].pid, flush=True)
if sys.argv[2] == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("end", ["killed", "exits"])
def test_a_measuring_process_ends_with_its_parent(tmp_path: Path, end: str) -> None:
    recording = tmp_path / "audio.wav"
    recording.write_bytes(WAV)
    ran = subprocess.run(
        [sys.executable, "-c", PARENT, str(recording), end],
        env={"PYTHONPATH": ":".join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == (-signal.SIGKILL if end == "killed" else 0), ran.stderr
    worker = int(ran.stdout)
    while is_running(worker):
        pass  # the time limit of the test ends this loop


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
