"""Runs a small share of the simulations with every test run; `scripts/simulate` runs any number."""

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import replace
from functools import cache
from itertools import count
from pathlib import Path

import pytest

from lumimd.domain.errors import DeploymentFault
from lumimd.domain.visit import ProcessingStatus
from tests.simulation.batches import batches, hunt, reports_of, run_batch, workers
from tests.simulation.command import main
from tests.simulation.faults import Dependency
from tests.simulation.levels import LEVELS
from tests.simulation.report import Report, story_of
from tests.simulation.run import run_world
from tests.simulation.sabotage import GUARDS
from tests.simulation.world import Options

BAD_RECORDINGS = {"audio_unreadable", "audio_too_short", "no_speech"}

NOTICED_WITHIN = 5_000
"""The number of visits within which the removal of any guard must break an invariant."""

MISSED_AT = json.loads((Path(__file__).parent / "missed_at.json").read_text())["sabotages"]
"""Known seeds with which the removal of a guard broke an invariant; a search begins there.

This command wrote them: scripts/simulate --sabotage all --visits 5000 --seed 100 --json
"""


@cache
def pool() -> ProcessPoolExecutor:
    """Return two processes for all tests; their start costs as much as a hundred visits."""
    return workers(2)


def simulated(visits: int, seed: int, level: str, **more: object) -> Report:
    total = Report()
    for report in reports_of(pool(), batches(visits, seed, level, 2, **more), 2):
        total.add(report)
    return total


def transient_share(report: Report) -> float:
    """Return the share of the calls to dependencies that failed or got no answer."""
    failed = sum(report.faults[kind] for kind in ("fail_before", "fail_after", "no_answer"))
    return failed / report.calls.total()


def broken(report: Report) -> str:
    return f"{report.first}\n{report.story}" if report.first else ""


def test_without_faults_every_visit_is_completed() -> None:
    report = simulated(120, 1, "none")
    assert not broken(report)
    assert report.statuses == {"completed": 120}


def test_under_normal_faults_nearly_all_visits_complete_within_fifteen_minutes() -> None:
    report = simulated(900, 1, "normal")
    assert not broken(report)
    others = {code: n for code, n in report.codes.items() if code not in BAD_RECORDINGS}
    assert sum(others.values()) <= 1, "three orders in a row may fail, once in 8,000 visits"
    figures = report.as_json(1, 1.0)
    assert 0.04 < transient_share(report) < 0.06
    assert figures["firstAttemptSuccess"] >= 0.95
    assert figures["hung"] == 0
    assert figures["failedShare"] < 0.03
    assert figures["averageRetries"] < 0.1
    assert figures["maxMinutesToTerminal"] < 15


def test_a_crashed_workers_visit_makes_progress_within_five_minutes() -> None:
    level = replace(LEVELS["normal"], crash=0.1)
    reports = [run_world(seed, Options(60, level))[0] for seed in range(1, 6)]
    assert not any(broken(report) for report in reports)
    assert sum(report.recoveries for report in reports) > 10
    assert max(report.recovery_s for report in reports) < 5 * 60


def test_under_heavy_faults_no_visit_is_lost_charged_twice_or_stuck() -> None:
    report = simulated(900, 1, "heavy")
    assert not broken(report)
    drawn = {name for name, share in vars(LEVELS["heavy"]).items() if share}
    assert drawn - set(report.faults) <= {"storm", "short_outage", "long_outage", "slow_spell"} | {
        "unheard_spell",
        "bad_recording",
        "impatient",
    }, "a fault that is never injected"


def test_jobs_of_replaced_cancelled_or_deleted_visits_count_to_the_concurrency_limit() -> None:
    """The job of a replaced, cancelled, deleted or expired visit keeps running."""
    report = simulated(180, 1, "fickle")
    assert not broken(report)


def test_a_visit_that_waits_for_the_quota_for_days_is_transcribed() -> None:
    report = simulated(60, 1, "rationed")
    assert not broken(report)
    assert report.history["submission_queued"] > 300
    assert report.history["visit_expired"] == 0
    assert report.max_minutes > 48 * 60, "as long as visits without a recording may idle"


def test_all_visits_complete_when_some_recordings_crash_the_worker() -> None:
    report = simulated(180, 1, "poisoned")
    assert not broken(report)
    assert report.faults["poison"] > 5
    assert report.statuses == {"completed": 180}, "poison pills are ordered unopened"


def test_all_visits_complete_after_a_provider_refused_the_deployment_for_days() -> None:
    report = simulated(300, 1, "unpaid")
    assert not broken(report)
    assert report.statuses == {"completed": 300}
    assert report.dead_lettered == 0
    assert report.max_minutes > 24 * 60, "longer than a visit is held for in an outage"


def test_no_invariant_breaks_when_a_provider_refuses_the_deployment_under_heavy_faults() -> None:
    report = simulated(120, 1, "disputed")
    assert not broken(report)
    assert sum(report.faults[fault] for fault in DeploymentFault) > 50


def test_recordings_that_the_provider_refuses_fail_and_the_other_visits_complete() -> None:
    report = simulated(120, 1, "odd")
    assert not broken(report)
    ended = report.statuses["completed"] + report.statuses["failed"]
    assert ended >= 118, "the last visit of a world may have no later order"
    assert report.codes == {"transcription_failed": report.statuses["failed"]}
    assert report.max_minutes < 2 * 24 * 60


def test_a_hanging_job_is_replaced_within_three_hours() -> None:
    report = simulated(120, 1, "hung")
    assert not broken(report)
    assert report.statuses == {"completed": 120}
    assert report.history["transcription_given_up"] == report.faults["job_hangs"] > 20
    assert report.max_minutes < 3 * 60


def test_a_recording_that_kills_the_measuring_process_is_transcribed_without_reading_it() -> None:
    report = simulated(180, 1, "unmeasurable")
    assert not broken(report)
    assert report.faults["kills_measuring"] > 5
    assert report.statuses == {"completed": 180}


def test_a_paid_job_is_found_again_in_a_long_job_list_after_a_crash() -> None:
    report = simulated(240, 1, "searching")
    assert not broken(report)
    assert report.faults["crash_after_paying"] > 100
    assert report.faults["long_list"] > 50


@pytest.mark.parametrize("dependency", list(Dependency))
def test_visits_wait_for_the_end_of_a_two_hour_outage_and_then_complete(
    dependency: Dependency,
) -> None:
    report = simulated(60, 1, "none", outages=((dependency, 120.0),))
    assert not broken(report)
    assert report.statuses == {"completed": 60}
    assert report.dead_lettered == 0
    assert not {name for name in report.history if name.endswith(("failed", "retried"))}


def test_after_an_outage_the_model_replaces_each_provisional_summary_once() -> None:
    report = simulated(120, 1, "none", outages=((Dependency.MODEL, 120.0),))
    assert report.history["provisional_summary_stored"] > 60
    assert report.history["summary_stored"] == 120


def test_a_visit_deleted_at_any_moment_leaves_only_a_deletion_receipt() -> None:
    stages: set[tuple[str, bool]] = set()
    receipts = 0
    for seed in range(1, 11):
        report, world = run_world(seed, Options(60, LEVELS["erasing"]))
        assert not broken(report)
        receipts += len(world.documents.receipts)
        deleted = [line[-1] for line in world.trace if line[3] == "DELETED"]
        stages |= {(visit.processing_status.value, visit.audio is not None) for visit in deleted}
    assert receipts > 300
    assert stages >= {(status.value, True) for status in ProcessingStatus} | {("pending", False)}


def test_two_runs_with_the_same_seed_have_the_same_trace() -> None:
    def trace() -> str:
        _, world = run_world(7, Options(20, LEVELS["heavy"]))
        return story_of(world.trace, None, lines=None)

    assert trace() == trace()


def test_the_same_seed_gives_the_same_trace_in_another_process() -> None:
    """String hashes differ between processes, but the trace of a seed must not."""
    script = (
        "from tests.simulation.levels import LEVELS\n"
        "from tests.simulation.report import story_of\n"
        "from tests.simulation.run import run_world\n"
        "from tests.simulation.world import Options\n"
        "_, world = run_world(108, Options(60, LEVELS['heavy']))\n"
        "print(story_of(world.trace, None, lines=None))\n"
    )
    worlds = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONPATH": ":".join(filter(None, sys.path)), "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(worlds) == 1
    assert len(worlds.pop()) > 10_000


def test_the_command_prints_only_json_to_standard_output() -> None:
    """The late clean-up of killed invocations prints nothing."""
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "tests.simulation.command", "--processes", "1"),
            *("--visits", "120", "--faults", "heavy", "--sabotage", "claim", "--json"),
        ],
        env={"PYTHONPATH": ":".join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    result = json.loads(ran.stdout)
    assert result["firstBrokenInvariant"]["seed"] in result["failingSeeds"]
    assert f"--seed {result['firstBrokenInvariant']['seed']} " in ran.stderr


def test_removing_a_guard_uses_by_default_the_faults_listed_for_that_guard(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Only with this guard's faults does its removal break an invariant reliably."""
    assert GUARDS["known-down-model"].outages
    seed = str(MISSED_AT["known-down-model"]["seed"])
    wanted = ["--sabotage", "known-down-model", "--visits", "60", "--seed", seed, "--json"]
    assert main(wanted) == 1
    assert "--outage model:120" in capsys.readouterr().err


def test_a_broken_invariant_reports_a_reproducible_seed_and_the_trace_of_its_visit() -> None:
    known = MISSED_AT["look-before-you-pay"]["seed"]
    report = run_batch(next(batches(60, known, "heavy", sabotage="look-before-you-pay")))
    assert report.first
    seed, breach = report.first
    assert breach.invariant in ("duplicateTranscriptionCharges", "capExceeded")
    again, _ = _again(seed)
    assert again.first == report.first
    assert again.story == report.story
    assert "submit" in report.story


def _again(seed: int) -> tuple[Report, object]:
    report = run_batch(next(batches(60, seed, "heavy", sabotage="look-before-you-pay")))
    return report, seed


def test_the_known_seeds_are_of_exactly_the_guards_in_the_table() -> None:
    assert set(GUARDS) == set(MISSED_AT)


@pytest.fixture(scope="module")
def hunts() -> Iterator[dict[str, "Future[Report]"]]:
    """Search for a broken invariant without each guard, in two processes; the results by guard."""
    hunting = {
        name: pool().submit(hunt, name, NOTICED_WITHIN, known["seed"])
        for name, known in MISSED_AT.items()
    }
    yield hunting
    for future in hunting.values():
        future.cancel()


@pytest.mark.parametrize("name", list(MISSED_AT))
def test_removing_each_guard_breaks_an_invariant_at_its_known_seed(
    hunts: dict[str, "Future[Report]"], name: str
) -> None:
    report = hunts[name].result()
    assert report.first, f"nothing broke without {name}: {GUARDS[name].why}"
    _, breach = report.first
    # A bug in the code that replaces a guard must not count as a broken invariant.
    assert breach.invariant != "bug" or MISSED_AT[name]["invariant"] == "bug", breach.detail


def test_each_simulation_run_of_the_batches_has_its_own_seed() -> None:
    seeds = [seed for batch in batches(1_000, 5, "none") for seed, _ in batch.worlds]
    assert seeds == [5 + number for number, _ in zip(count(), seeds, strict=False)]
    assert sum(n for batch in batches(1_000, 5, "none") for _, n in batch.worlds) == 1_000
