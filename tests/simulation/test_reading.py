"""Unreadable documents and a full task queue delay only their own visits, and lose no visit."""

from tests.simulation.levels import LEVELS
from tests.simulation.run import run_world
from tests.simulation.test_simulation import broken, simulated
from tests.simulation.world import Options


def test_visits_that_are_unreadable_for_hours_complete_and_delay_no_other_visit() -> None:
    report = simulated(300, 1, "unreadable")
    assert not broken(report)
    assert report.faults["unreadable"] > 60
    assert report.faults["broken_part"]
    assert report.statuses == {"completed": 300}


def test_a_rollback_under_heavy_faults_loses_no_visit_and_charges_none_twice() -> None:
    report = simulated(300, 1, "rolled_back")
    assert not broken(report)
    assert report.faults["unreadable"] > 60


def test_two_concurrent_releases_do_not_overwrite_documents_they_cannot_read() -> None:
    report = simulated(300, 1, "mixed")
    assert not broken(report)
    assert report.faults["newer_value"] > 200
    assert "processing" not in report.statuses


def test_a_backlog_of_the_task_queue_creates_fewer_than_nine_tasks_per_visit() -> None:
    report, world = run_world(1, Options(60, LEVELS["backlog"]))
    assert not broken(report)
    assert report.statuses == {"completed": 60}
    assert report.calls["tasks.request_summary"] < 9 * 60
    assert world.has_backlog
