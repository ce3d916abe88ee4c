"""The contract of `TurnCounters`: one suite for the memory adapter and for Firestore.

A flow is the series of turns of one user in one priority.
"""

import asyncio
import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest

from lumimd.adapters.firestore.database import FirestoreDatabase
from lumimd.adapters.memory.database import MemoryDatabase
from lumimd.policies.priorities import Priority, first_turn
from lumimd.stores.turn_counters import TurnCounters
from tests.support.services import START
from tests.support.shared_documents import MEMORY_AND_FIRESTORE
from tests.support.user_ids import USER_IDS

END = START + timedelta(days=2)
BATCHES = first_turn(Priority.BATCH)


@pytest.fixture(params=MEMORY_AND_FIRESTORE)
def turn_counters(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TurnCounters]:
    if request.param == "memory":
        yield TurnCounters(MemoryDatabase())
        return
    from google.cloud import firestore

    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", request.getfixturevalue("firestore_host"))
    client = firestore.AsyncClient(project=f"demo-{uuid.uuid4().hex[:12]}")
    yield TurnCounters(FirestoreDatabase(lambda: client))
    client.close()


async def test_the_first_turn_of_a_flow_follows_the_last_admitted_turn(
    turn_counters: TurnCounters,
) -> None:
    assert await turn_counters.draw("ann", Priority.LIVE, 41, END) == 42


async def test_successive_turns_of_a_flow_increase_by_one(turn_counters: TurnCounters) -> None:
    drawn = [await turn_counters.draw("ann", Priority.BATCH, BATCHES, END) for _ in range(3)]
    assert drawn == [BATCHES + 1, BATCHES + 2, BATCHES + 3]


async def test_an_idle_flow_does_not_overtake_the_others(turn_counters: TurnCounters) -> None:
    assert await turn_counters.draw("ann", Priority.LIVE, 0, END) == 1
    assert await turn_counters.draw("ann", Priority.LIVE, 90, END) == 91
    assert await turn_counters.draw("ann", Priority.LIVE, 5, END) == 92


async def test_flows_are_independent(turn_counters: TurnCounters) -> None:
    assert await turn_counters.draw("ann", Priority.LIVE, 0, END) == 1
    assert await turn_counters.draw("bob", Priority.LIVE, 0, END) == 1
    assert await turn_counters.draw("ann", Priority.URGENT, 0, END) == 1


async def test_a_hundred_concurrent_draws_give_a_hundred_turns(
    turn_counters: TurnCounters,
) -> None:
    drawn = await asyncio.gather(
        *(turn_counters.draw("ann", Priority.LIVE, 10, END) for _ in range(100))
    )
    assert sorted(drawn) == list(range(11, 111))


async def test_after_forget_the_flow_of_the_user_starts_from_the_beginning(
    turn_counters: TurnCounters,
) -> None:
    await turn_counters.draw("ann", Priority.LIVE, 10, END)
    await turn_counters.draw("bob", Priority.LIVE, 10, END)
    await turn_counters.forget("ann")
    assert await turn_counters.draw("ann", Priority.LIVE, 0, END) == 1
    assert await turn_counters.draw("bob", Priority.LIVE, 0, END) == 12


@pytest.mark.parametrize("user_id", USER_IDS)
async def test_each_user_id_of_any_sign_in_provider_has_a_separate_flow(
    turn_counters: TurnCounters, user_id: str
) -> None:
    assert await turn_counters.draw(user_id, Priority.LIVE, 0, END) == 1
    assert await turn_counters.draw(user_id, Priority.LIVE, 0, END) == 2
    assert await turn_counters.draw(f"-{user_id[1:]}", Priority.LIVE, 0, END) == 1
    await turn_counters.forget(user_id)
    assert await turn_counters.draw(user_id, Priority.LIVE, 0, END) == 1
