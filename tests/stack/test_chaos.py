"""Visits survive while functions, queue, scheduler and event forwarder are killed with SIGKILL."""

import asyncio
import os
from datetime import UTC, datetime, timedelta

import pytest

from infra.local.chaos.report import to_json
from infra.local.chaos.run import Settings, run
from infra.local.chaos.verdict import Promise
from infra.local.stack import can_emulate

pytestmark = pytest.mark.stack

# With this seed the ten kills hit each of the seven victims. The test does not wait for the expiry
# of a dead worker's lease (up to 195 s): a visit may not have ended yet, if it has a wake-up.
SMALL = Settings(visits=20, seed=45, kills=10, patience_s=20, webhook_retry_s=2)
OVERDUE = timedelta(seconds=30)


async def test_visits_survive_kill_9() -> None:
    missing = can_emulate(os.environ)
    if missing is not None:
        if os.environ.get("CI") == "true":
            raise missing
        pytest.skip(str(missing))
    async with asyncio.timeout(240):
        outcome = await run(SMALL, watch=lambda _: None, say=lambda _: None)
    shown = to_json(outcome)
    broken = [each for each in outcome.verdict.breaches if each.promise is not Promise.NOT_STUCK]
    assert not broken, shown
    assert set(outcome.evidence.visits) == set(outcome.uploaded_at)
    assert shown["kills"] >= SMALL.kills
    assert shown["completed"] >= SMALL.visits // 2, shown
    for visit in outcome.evidence.visits.values():
        if not visit.processing_status.is_terminal:
            assert visit.wake_at
            assert visit.wake_at > datetime.now(UTC) - OVERDUE
