"""The gate judges the measures of a release, and `compare` recommends to go on or roll back."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from infra.ops.exits import FAILED, OK, USAGE
from infra.release.cli import main
from infra.release.compare import Recommendation, compare
from infra.release.gate import STAGES, WATCH_FOR, judge
from infra.release.measures import Measures, Times
from lumimd.domain.visit import Stage
from tests.release.measured import measures


def failing(found: Measures) -> set[str]:
    return {each.name for each in judge(found) if not each.holds}


def test_the_measures_of_a_good_release_pass_the_gate() -> None:
    assert failing(measures()) == set()


@pytest.mark.parametrize(("completed", "failed", "passes"), [(95, 5, True), (949, 51, False)])
def test_less_than_95_percent_completed_visits_do_not_pass_the_gate(
    completed: int, failed: int, passes: bool
) -> None:
    found = failing(measures(completed, failed))
    assert found == (set() if passes else {"completed, of those that ended"})


def test_the_gate_ignores_visits_that_the_owner_cancelled_or_must_repair() -> None:
    outcomes = {"completed": 40, "cancelled": 200, "up_to_owner": 300}
    assert failing(measures(outcomes=outcomes)) == set()


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize(("slow", "passes"), [(5, True), (6, False)])
def test_a_p95_delay_of_a_minute_in_any_stage_does_not_pass_the_gate(
    stage: Stage, slow: int, passes: bool
) -> None:
    delays = {each.value: [1_000.0] * 100 for each in Stage}
    delays[stage] = [1_000.0] * (100 - slow) + [60_000.0] * slow
    found = failing(measures(stage_delays_ms=delays))
    assert found == (set() if passes else {f"p95 of the delay of {stage}"})


@pytest.mark.parametrize(("deepest", "passes"), [(49, True), (50, False)])
def test_fifty_waiting_tasks_do_not_pass_the_gate(deepest: int, passes: bool) -> None:
    found = failing(measures(depths=[0, deepest, 1]))
    assert found == (set() if passes else {"tasks in the queue"})


def test_too_few_ended_visits_do_not_pass_the_gate() -> None:
    assert failing(measures(19, 0)) == {"visits that ended"}


def test_missing_measures_do_not_pass_the_gate() -> None:
    nothing = Measures(outcomes={})
    assert len(failing(nothing)) == len(judge(nothing))


def test_every_stage_of_a_release_has_a_watch_time() -> None:
    assert set(WATCH_FOR) == set(STAGES) == {10, 25, 50, 100}


def test_the_gate_command_prints_the_result_and_saves_the_measures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(measures().to_json()))
    bad.write_text(json.dumps(measures(90, 10).to_json()))
    assert main(["gate", "--metrics", str(good)]) == OK
    assert "The gate is open." in capsys.readouterr().out
    assert main(["gate", "--metrics", str(bad), "--save", str(tmp_path / "kept")]) == FAILED
    printed = capsys.readouterr().out
    assert "The gate is shut." in printed
    assert "90.00%" in printed
    assert Measures.read((tmp_path / "kept").read_text()) == measures(90, 10)
    assert main(["gate", "--metrics", str(tmp_path / "none.json")]) == USAGE


def test_an_unreadable_or_unwritable_file_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, binary = tmp_path / "good.json", tmp_path / "binary.json"
    good.write_text(json.dumps(measures().to_json()))
    binary.write_bytes(b"\xff\xfe\x00")
    assert main(["gate", "--metrics", str(binary)]) == USAGE
    assert f"The measures of {binary} cannot be read" in capsys.readouterr().err
    assert main(["compare", str(good), str(binary)]) == USAGE
    assert f"The measures of {binary} cannot be read" in capsys.readouterr().err
    nowhere = str(tmp_path / "none" / "kept.json")
    assert main(["gate", "--metrics", str(good), "--save", nowhere]) == USAGE
    assert "The measures cannot be kept" in capsys.readouterr().err


def test_an_unknown_measure_is_refused() -> None:
    with pytest.raises(ValidationError):
        Measures.read('{"outcomes": {}, "queueDepth": [3]}')


@given(st.lists(st.integers(0, 10**6), min_size=1), st.floats(0, 100))
def test_a_percentile_is_the_smallest_value_with_its_share_at_or_below_it(
    values: list[int], percent: float
) -> None:
    times = Times.of(values)
    found = times.percentile(percent)
    assert found is not None
    assert sum(value <= found for value in values) >= len(values) * percent / 100
    assert sum(value < found for value in values) <= max(len(values) * percent / 100, 0)


def test_each_value_of_a_histogram_counts_as_its_upper_bound() -> None:
    times = Times.of([(1_000.0, 90), (2_000.0, 10)])
    assert (times.count, times.mean) == (100, 1_100)
    assert [times.percentile(p) for p in (0, 50, 90, 91, 100)] == [1000, 1000, 1000, 2000, 2000]


def test_comparing_two_equal_releases_recommends_to_go_on() -> None:
    comparison = compare(measures(), measures(97, 3))
    assert comparison.recommendation is Recommendation.GO_ON
    figures = comparison.b["summary"]
    assert list(figures) == ["count", "mean", "min", "median", "p95", "p99", "max"]
    assert (figures["min"], figures["median"], figures["p99"]) == (1_000, 1_000, 5_000)
    assert figures["mean"] == pytest.approx(1_200)
    assert comparison.b["success"] == 0.97


@pytest.mark.parametrize(
    ("worse", "reason"),
    [
        (measures(90, 10), "completes 90.0%"),
        (measures(961, 39), "more than chance"),
        (measures(delays=[1_000.0] * 90 + [61_000.0] * 10), "over 60 s"),
        (measures(delays=[1_000.0] * 90 + [9_000.0] * 10), "9.0 s instead of 1.0 s"),
    ],
)
def test_comparing_a_worse_release_recommends_a_rollback_with_the_reason(
    worse: Measures, reason: str
) -> None:
    comparison = compare(measures(998, 2), worse)
    assert comparison.recommendation is Recommendation.ROLL_BACK
    assert any(reason in each for each in comparison.reasons), comparison.reasons


def test_comparing_a_release_with_few_visits_recommends_to_wait() -> None:
    comparison = compare(measures(), measures(3, 3))
    assert comparison.recommendation is Recommendation.WAIT


@pytest.mark.parametrize(
    ("lacking", "reason"),
    [
        (measures(visit_durations_ms=[]), "a visit was measured of A"),
        (measures(stage_delays_ms={"submission": [1_000.0]}), "summary was measured of A"),
    ],
)
def test_comparing_a_new_release_without_a_duration_recommends_to_wait(
    lacking: Measures, reason: str
) -> None:
    comparison = compare(measures(), lacking)
    assert comparison.recommendation is Recommendation.WAIT
    assert any(reason in each for each in comparison.reasons), comparison.reasons
    assert compare(lacking, measures()).recommendation is Recommendation.GO_ON


def test_the_compare_command_prints_every_figure_and_the_recommendation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = tmp_path / "a.json", tmp_path / "b.json"
    a.write_text(json.dumps(measures().to_json()))
    b.write_text(json.dumps(measures(80, 20).to_json()))
    assert main(["compare", str(a), str(a)]) == OK
    assert main(["compare", str(a), str(b)]) == FAILED
    printed = capsys.readouterr().out
    assert "Roll back" in printed
    for figure in ("min", "mean", "median", "p95", "p99", "max"):
        assert figure in printed
    assert main(["compare", str(a), str(b), "--json"]) == FAILED
    assert json.loads(capsys.readouterr().out)["recommendation"] == "roll_back"
