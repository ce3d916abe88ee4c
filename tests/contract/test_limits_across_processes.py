"""Of a hundred calls from four processes on one token bucket, exactly the allowed number pass."""

import asyncio
import os
import uuid
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context

import pytest

from lumimd.adapters.firestore.database import FirestoreDatabase
from lumimd.adapters.memory import ManualClock
from lumimd.coordination import rate_limits
from lumimd.coordination.rate_limits import Limits, TooMany
from lumimd.domain.paths import RATE_LIMITS
from lumimd.policies.tiers import Limited, OfAllUsers, Tier
from lumimd.policies.token_bucket import Bucket, Policy
from lumimd.stores.shared_documents import SharedDocuments

PROCESSES, CALLS = 4, 25
NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
"""The clock stands still so that no token is refilled and the allowed number is exact."""


def calls_of_one_process(host: str, project: str, burst: int, together: bool) -> list[str]:
    os.environ["FIRESTORE_EMULATOR_HOST"] = host
    rate_limits.RATE_LIMIT_STORE_S = 60.0  # type: ignore[attr-defined]  # at any load
    return asyncio.run(_calls(project, burst, together))


async def _calls(project: str, burst: int, together: bool) -> list[str]:
    from google.cloud import firestore

    client = firestore.AsyncClient(project=project)
    policy = Policy(tokens=10, per=timedelta(minutes=1), burst=burst)
    many = Policy(tokens=10, per=timedelta(minutes=1), burst=1_000)
    limits = Limits(
        SharedDocuments(FirestoreDatabase(lambda: client), RATE_LIMITS, Bucket),
        ManualClock(NOW),
        lambda: uuid.uuid4().hex,
        {Limited.EXPENSIVE: {Tier.FREE: many if together else policy}},
        {OfAllUsers.ON_DEMAND: policy} if together else {},
    )

    async def call(number: int) -> str:
        user = f"user-{os.getpid()}-{number}" if together else "ann"
        try:
            await limits.allow(user, Tier.FREE, Limited.EXPENSIVE, OfAllUsers.ON_DEMAND)
        except TooMany:
            return "429"
        return "passed"

    outcomes = await asyncio.gather(*(call(number) for number in range(CALLS)))
    client.close()
    return outcomes


@pytest.mark.emulator
@pytest.mark.parametrize("together", [False, True], ids=["one user", "all users together"])
@pytest.mark.parametrize("burst", [10, 60])
def test_exactly_the_allowed_number_of_calls_pass_across_processes(
    firestore_host: str, burst: int, together: bool
) -> None:
    project = f"demo-{uuid.uuid4().hex[:12]}"
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        running = [
            pool.submit(calls_of_one_process, firestore_host, project, burst, together)
            for _ in range(PROCESSES)
        ]
        outcomes = [outcome for each in running for outcome in each.result()]
    assert len(outcomes) == PROCESSES * CALLS
    assert outcomes.count("passed") == burst
    assert outcomes.count("429") == PROCESSES * CALLS - burst
