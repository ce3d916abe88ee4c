"""The hourly cap on new orders: visits wait for it, and all are completed."""

from tests.simulation.levels import LEVELS
from tests.simulation.run import run_world
from tests.simulation.world import Options


def test_at_the_cap_visits_wait_for_hours_and_all_are_completed() -> None:
    report, _ = run_world(1, Options(60, LEVELS["capped"]))
    assert not report.first, report.story
    assert report.statuses == {"completed": 60}
    assert report.history["submission_queued"] >= 30
    assert report.max_minutes > 5 * 60, "the user with half of the visits has five an hour"
    assert report.history["visit_expired"] == report.dead_lettered == 0


def test_with_faults_the_cap_holds_as_well() -> None:
    report, _ = run_world(2, Options(60, LEVELS["capped_heavy"]))
    assert not report.first, report.story
