"""Ledger and bill where they differ most easily; `bills.py` checks them in all other worlds too."""

import pytest

from tests.simulation.levels import LEVELS
from tests.simulation.run import run_world
from tests.simulation.world import Options


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_ledger_is_the_bill_where_recordings_bring_nothing_and_visits_are_stopped(
    seed: int,
) -> None:
    report, world = run_world(seed, Options(60, LEVELS["fruitless"]))
    assert not report.first, report.story
    visits = [stored.visit for stored in world.documents.visits.values()]
    assert sum(visit.ledger.audio_seconds for visit in visits) > 40 * 600
    assert report.codes["no_speech"] > 2


def test_without_faults_nothing_stays_unsettled() -> None:
    report, world = run_world(1, Options(60, LEVELS["none"]))
    assert not report.first, report.story
    ledgers = [stored.visit.ledger for stored in world.documents.visits.values()]
    assert {(each.orders, each.summaries, each.summaries_unsettled) for each in ledgers} == {
        (1, 1, 0)
    }
