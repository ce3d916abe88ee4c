"""Test the percentage and the time left that a client shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumimd.domain.audio import MAX_SECONDS
from lumimd.domain.progress import (
    PERCENT,
    Step,
    expected_transcription_s,
    seconds_remaining,
    transcribing_percent,
)

ELAPSED = st.floats(min_value=-3600, max_value=10**7)
AUDIO = st.none() | st.floats(min_value=0, max_value=MAX_SECONDS)


def test_the_percentages_of_the_steps_rise_in_tens_from_0_to_100() -> None:
    percents = [PERCENT[step] for step in Step]
    assert percents == sorted(percents)
    assert PERCENT[Step.QUEUED] == PERCENT[Step.AUDIO_RECEIVED], "waiting is no progress"
    assert (percents[0], percents[-1]) == (0, 100)
    assert all(percent % 10 == 0 for percent in percents)


@pytest.mark.parametrize(("third", "percent"), [(0, 30), (1, 40), (2, 50), (3, 50), (30, 50)])
def test_progress_of_transcribing_rises_with_each_third_of_the_expected_time(
    third: int, percent: int
) -> None:
    elapsed_s = (third + 0.5) / 3 * expected_transcription_s(600)
    assert transcribing_percent(elapsed_s, 600) == percent


@given(ELAPSED, ELAPSED, AUDIO)
def test_progress_of_transcribing_rises_between_the_adjacent_steps(
    one: float, other: float, audio_s: float | None
) -> None:
    earlier, later = sorted((one, other))
    before, after = transcribing_percent(earlier, audio_s), transcribing_percent(later, audio_s)
    assert PERCENT[Step.SUBMITTING] < before <= after < PERCENT[Step.TRANSCRIPT_READY]
    assert {before, after} <= {30, 40, 50}


@given(st.sampled_from(Step), ELAPSED, AUDIO)
def test_the_time_left_is_never_negative(
    step: Step, elapsed_s: float, audio_s: float | None
) -> None:
    left = seconds_remaining(step, elapsed_s, audio_s)
    assert left is None or left >= 0


@given(ELAPSED, ELAPSED, AUDIO)
def test_the_time_left_of_a_transcription_never_rises(
    one: float, other: float, audio_s: float | None
) -> None:
    earlier, later = (
        seconds_remaining(Step.TRANSCRIBING, elapsed_s, audio_s)
        for elapsed_s in sorted((one, other))
    )
    assert earlier is not None
    assert later is not None
    assert earlier >= later >= (seconds_remaining(Step.TRANSCRIPT_READY, 0, audio_s) or 0)


def test_the_time_left_is_none_before_the_length_is_known_and_zero_at_the_end() -> None:
    assert seconds_remaining(Step.WAITING_FOR_AUDIO, 0, None) is None
    assert seconds_remaining(Step.AUDIO_RECEIVED, 0, 60) is None
    assert seconds_remaining(Step.SUBMITTING, 0, None) is None
    assert seconds_remaining(Step.SUBMITTING, 0, 60)
    assert seconds_remaining(Step.COMPLETED, 10**6, 60) == 0
