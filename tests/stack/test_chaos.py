"""No visit is lost while functions, queue, scheduler and event forwarder get SIGKILL."""

import asyncio
import os
from datetime import UTC, datetime, timedelta

import pytest

from infra.local.chaos.report import to_json
from infra.local.chaos.run import Settings, run
from infra.local.chaos.verdict import Promise
from infra.local.stack import can_emulate

pytestmark = pytest.mark.stack

# With this seed the ten kills hit each of the seven processes. The test does not wait until the
# lease of a killed worker expires (up to 195 s), so a visit with a wake-up may be unfinished.
SMALL = Settings(visits=20, seed=45, kills=10, patience_s=60, webhook_retry_s=2)
OVERDUE = timedelta(seconds=30)


async def test_visits_complete_or_keep_a_wake_up_while_processes_are_killed() -> None:
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
