"""Ledgers equal the bill under the faults that most easily make them differ (see `bills.py`)."""

import pytest

from tests.simulation.levels import LEVELS
from tests.simulation.run import run_world
from tests.simulation.world import Options


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_ledgers_equal_the_bill_with_flawed_recordings_and_stopped_visits(
    seed: int,
) -> None:
    report, world = run_world(seed, Options(60, LEVELS["fruitless"]))
    assert not report.first, report.story
    visits = [stored.visit for stored in world.documents.visits.values()]
    assert sum(visit.ledger.audio_seconds for visit in visits) > 40 * 600
    assert report.codes["no_speech"] > 2


def test_without_faults_each_ledger_has_one_job_and_one_settled_summary() -> None:
    report, world = run_world(1, Options(60, LEVELS["none"]))
    assert not report.first, report.story
    ledgers = [stored.visit.ledger for stored in world.documents.visits.values()]
    assert {(each.orders, each.summaries, each.summaries_unsettled) for each in ledgers} == {
        (1, 1, 0)
    }
