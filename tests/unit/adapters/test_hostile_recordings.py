"""Test that a hostile upload gets a result and makes no access to files or the network."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lumimd.adapters.measuring.limits import FIRST_LOOK, OVERRUN_S, SLOW
from lumimd.adapters.measuring.process import Process
from lumimd.adapters.measuring.recording import Budget, TooCostly
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Permanent
from tests.support.examples import examples
from tests.support.hostile import BOMBS, TEXTS
from tests.support.recordings import FORMATS, recorded

Answer = float | str | None


@pytest.fixture(scope="module")
def process() -> Iterator[Process]:
    process = Process()
    yield process
    process.stop()


def answer(process: Process, content: bytes, budget: Budget = FIRST_LOOK) -> Answer:
    """Return the seconds, the code or "costly"; a killed process fails the test."""

    def read(offset: int, length: int) -> bytes:
        return content[offset : offset + length]

    try:
        return process.measure(read, len(content), budget).seconds
    except Permanent as error:
        return error.code.value
    except TooCostly:
        return "costly"


@pytest.mark.parametrize("name", TEXTS)
def test_an_uploaded_text_that_names_files_is_unreadable_and_opens_no_file(
    process: Process, name: str
) -> None:
    answer(process, b"x")
    before = descriptors(process)
    assert answer(process, TEXTS[name]) == ErrorCode.AUDIO_UNREADABLE
    both = TEXTS[name] + recorded(FORMATS["mp3, no header"])
    assert answer(process, both) == ErrorCode.AUDIO_UNREADABLE
    assert descriptors(process) == before


def descriptors(process: Process) -> list[str]:
    folder = Path(f"/proc/{process.pid}/fd")
    if not folder.is_dir():
        pytest.skip("needs /proc")
    return sorted(str(each.readlink()) for each in folder.iterdir())


@pytest.mark.parametrize("name", BOMBS)
def test_a_costly_file_has_a_result_and_its_process_survives(process: Process, name: str) -> None:
    """The reader stops at its budget, so that its process is not killed and restarted."""
    answer(process, b"x")
    starts = process.starts
    for budget in (FIRST_LOOK, SLOW):
        assert answer(process, BOMBS[name], budget) is not None
    assert process.starts == starts


def test_both_budgets_together_take_less_than_two_seconds_of_cpu() -> None:
    assert FIRST_LOOK.cpu_s + SLOW.cpu_s + 2 * OVERRUN_S < 2


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Generate a recording with changed bytes, a missing end, or both."""
    kind = FORMATS[draw(st.sampled_from(sorted(FORMATS)))]
    content = bytearray(recorded(kind, streamed=kind.can_stream and draw(st.booleans())))
    header = st.integers(0, min(2_000, len(content) - 1))
    tail = st.integers(max(0, len(content) - 2_000), len(content) - 1)
    anywhere = st.integers(0, len(content) - 1)
    for place in draw(st.lists(header | tail | anywhere, max_size=40)):
        content[place] = draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]) | st.integers(0, 255))
    if draw(st.booleans()):
        del content[draw(anywhere) :]
    if draw(st.booleans()):
        place = draw(anywhere) % max(1, len(content))
        content[place:place] = bytes(content[: draw(st.integers(0, 4_000))])
    return bytes(content)


@settings(
    max_examples=examples(100, nightly=3_000),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(content=damaged())
def test_a_damaged_recording_of_any_format_has_a_result(process: Process, content: bytes) -> None:
    found = answer(process, content, SLOW)
    assert found == "costly" or found in set(ErrorCode) or isinstance(found, float | int | None)
