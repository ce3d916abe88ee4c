"""Visits wait for the hourly cap on new paid jobs (orders), and all visits complete."""

from tests.simulation.levels import LEVELS
from tests.simulation.run import run_world
from tests.simulation.world import Options


def test_visits_wait_for_hours_under_the_hourly_job_cap_and_all_complete() -> None:
    report, _ = run_world(1, Options(60, LEVELS["capped"]))
    assert not report.first, report.story
    assert report.statuses == {"completed": 60}
    assert report.history["submission_queued"] >= 30
    assert report.max_minutes > 5 * 60, "the user with half of the visits has five an hour"
    assert report.history["visit_expired"] == report.dead_lettered == 0


def test_the_hourly_job_cap_holds_under_heavy_faults() -> None:
    report, _ = run_world(2, Options(60, LEVELS["capped_heavy"]))
    assert not report.first, report.story
