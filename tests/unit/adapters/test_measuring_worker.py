"""Run the measuring program in the test process, so that its coverage is recorded."""

import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from io import FileIO
from typing import Any

import pytest

from lumimd.adapters.measuring import limits, worker
from lumimd.adapters.measuring.worker import ABANDON, LENGTH, NICE, REQUEST, START
from lumimd.domain.codes import ErrorCode
from tests.support.services import tone

WAV = tone(seconds=3)
AMPLE = (60.0, 1 << 30, 1_000)
"""A budget that no recording here exceeds: CPU seconds, bytes and jumps."""

Parent = Callable[["Pipes"], Any]


class Pipes:
    """The parent process's ends of the two pipes to the worker."""

    def __init__(self, to_worker: int, from_worker: int) -> None:
        self._out = FileIO(to_worker, "w")
        self._in = FileIO(from_worker, "r")

    def send(self, data: bytes) -> None:
        assert self._out.write(data) == len(data)

    def received(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            part = self._in.read(length - len(data))
            assert part, "the worker has ended"
            data += part
        return data

    def close(self) -> None:
        self._out.close()
        self._in.close()

    def answer(self, content: bytes, budget: tuple[float, int, int] = AMPLE) -> dict[str, Any]:
        """Send a recording as the parent, and return the worker's answer."""
        self.send(START.pack(len(content), *budget))
        while True:
            kind, offset, length = REQUEST.unpack(self.received(REQUEST.size))
            if kind == b"A":
                answer: dict[str, Any] = json.loads(self.received(length))
                return answer
            part = content[offset : offset + length]
            self.send(LENGTH.pack(len(part)) + part)


@pytest.fixture
def timers(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Replace the CPU timer by a stub; returns the list of the seconds that were set."""
    found: list[float] = []
    monkeypatch.setattr(signal, "setitimer", lambda which, seconds: found.append(seconds))
    return found


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> dict[int, tuple[int, int]]:
    """Replace the resource limits by a stub; returns the limits that the program set."""
    found: dict[int, tuple[int, int]] = {}
    monkeypatch.setattr(resource, "setrlimit", lambda name, value: found.update({name: value}))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    return found


@pytest.fixture
def measuring(
    monkeypatch: pytest.MonkeyPatch, limited: object, timers: object
) -> Callable[[Parent], Any]:
    """Runs the program against a parent in another thread; returns the parent's result."""

    def measure(parent: Parent) -> Any:
        stdin, to_worker = os.pipe()
        from_worker, stdout = os.pipe()
        monkeypatch.setattr(worker, "_STDIN", stdin)
        monkeypatch.setattr(worker, "_STDOUT", stdout)

        def talk() -> Any:
            with closing(Pipes(to_worker, from_worker)) as pipes:
                return parent(pipes)

        with ThreadPoolExecutor(1) as threads:
            talking: Future[Any] = threads.submit(talk)
            worker.main()
            os.close(stdin)
            os.close(stdout)
            return talking.result()

    return measure


def test_the_worker_measures_recordings_in_sequence_until_its_input_closes(
    measuring: Callable[[Parent], Any], timers: list[float]
) -> None:
    first, second = measuring(lambda pipes: (pipes.answer(WAV), pipes.answer(tone(seconds=1))))
    assert first["seconds"] == pytest.approx(3.0, abs=0.1)
    assert second["seconds"] == pytest.approx(1.0, abs=0.1)
    assert first["cpu_s"] >= 0
    assert first["peak_kib"] > 0
    killed_after = AMPLE[0] + limits.OVERRUN_S
    assert timers == [killed_after, 0, killed_after, 0]


def test_the_worker_answers_audio_unreadable_for_a_file_without_sound(
    measuring: Callable[[Parent], Any],
) -> None:
    answer = measuring(lambda pipes: pipes.answer(b"no recording" * 100))
    assert answer["code"] == ErrorCode.AUDIO_UNREADABLE
    assert "seconds" not in answer


def test_the_worker_reports_a_recording_over_its_budget_as_costly(
    measuring: Callable[[Parent], Any],
) -> None:
    junk = b"JUNK" + (1 << 20).to_bytes(4, "little") + bytes(1 << 20)
    scattered = WAV[:36] + 4 * junk + WAV[36:]
    within, over = measuring(
        lambda pipes: (pipes.answer(scattered), pipes.answer(scattered, (60.0, 1 << 30, 1)))
    )
    assert within["seconds"] == pytest.approx(3.0, abs=0.1)
    assert over["is_costly"]


def test_the_worker_measures_the_next_recording_after_an_abandoned_one(
    measuring: Callable[[Parent], Any],
) -> None:
    def parent(pipes: Pipes) -> tuple[dict[str, Any], dict[str, Any]]:
        pipes.send(START.pack(len(WAV), *AMPLE))
        kind, _, _ = REQUEST.unpack(pipes.received(REQUEST.size))
        assert kind == b"R"
        pipes.send(LENGTH.pack(ABANDON))
        kind, _, length = REQUEST.unpack(pipes.received(REQUEST.size))
        assert kind == b"A"
        return json.loads(pipes.received(length)), pipes.answer(WAV)

    abandoned, measured = measuring(parent)
    assert abandoned["is_abandoned"]
    assert measured["seconds"] == pytest.approx(3.0, abs=0.1)


def test_the_worker_ends_when_its_parent_dies(measuring: Callable[[Parent], Any]) -> None:
    def parent(pipes: Pipes) -> None:
        pipes.send(START.pack(len(WAV), *AMPLE))
        pipes.received(REQUEST.size)

    measuring(parent)


def test_the_worker_limits_its_files_core_dumps_and_memory(
    measuring: Callable[[Parent], Any], limited: dict[int, tuple[int, int]]
) -> None:
    measuring(lambda pipes: None)
    assert limited == {
        resource.RLIMIT_NOFILE: (3, 3),
        resource.RLIMIT_FSIZE: (0, 0),
        resource.RLIMIT_CORE: (0, 0),
        resource.RLIMIT_AS: (limits.ADDRESS_SPACE, limits.ADDRESS_SPACE),
    }


@pytest.mark.parametrize(("argv", "nice"), [([NICE], [10]), ([], [])])
def test_the_worker_lowers_its_cpu_priority_only_with_the_nice_argument(
    measuring: Callable[[Parent], Any],
    monkeypatch: pytest.MonkeyPatch,
    argv: list[str],
    nice: list[int],
) -> None:
    told: list[int] = []
    monkeypatch.setattr(os, "nice", told.append)
    monkeypatch.setattr(sys, "argv", ["worker", *argv])
    measuring(lambda pipes: None)
    assert told == nice
