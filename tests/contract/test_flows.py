"""The contract of `Flows`: one suite for the memory adapter and for Firestore."""

import asyncio
import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest

from lumimd.adapters.memory.turn_counters import MemoryFlows
from lumimd.policies.priorities import Lane, first_turn
from lumimd.ports.turn_counters import Flows
from tests.support.parts import START
from tests.support.shared_documents import MEMORY_AND_FIRESTORE
from tests.support.user_ids import USER_IDS

END = START + timedelta(days=2)
BATCHES = first_turn(Lane.BATCH)


@pytest.fixture(params=MEMORY_AND_FIRESTORE)
def flows(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flows]:
    if request.param == "memory":
        yield MemoryFlows()
        return
    from google.cloud import firestore

    from lumimd.adapters.firestore.turn_counters import FirestoreFlows

    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", request.getfixturevalue("firestore_host"))
    client = firestore.AsyncClient(project=f"demo-{uuid.uuid4().hex[:12]}")
    yield FirestoreFlows(client)
    client.close()


async def test_a_flow_begins_after_what_was_admitted_last(flows: Flows) -> None:
    assert await flows.draw("ann", Lane.LIVE, 41, END) == 42


async def test_turns_of_a_flow_are_one_apart(flows: Flows) -> None:
    drawn = [await flows.draw("ann", Lane.BATCH, BATCHES, END) for _ in range(3)]
    assert drawn == [BATCHES + 1, BATCHES + 2, BATCHES + 3]


async def test_who_was_away_does_not_come_before_the_others(flows: Flows) -> None:
    assert await flows.draw("ann", Lane.LIVE, 0, END) == 1
    assert await flows.draw("ann", Lane.LIVE, 90, END) == 91
    assert await flows.draw("ann", Lane.LIVE, 5, END) == 92


async def test_flows_do_not_know_of_each_other(flows: Flows) -> None:
    assert await flows.draw("ann", Lane.LIVE, 0, END) == 1
    assert await flows.draw("bob", Lane.LIVE, 0, END) == 1
    assert await flows.draw("ann", Lane.URGENT, 0, END) == 1


async def test_who_draws_a_hundred_times_at_once_gets_a_hundred_turns(flows: Flows) -> None:
    drawn = await asyncio.gather(*(flows.draw("ann", Lane.LIVE, 10, END) for _ in range(100)))
    assert sorted(drawn) == list(range(11, 111))


async def test_who_is_forgotten_begins_anew(flows: Flows) -> None:
    await flows.draw("ann", Lane.LIVE, 10, END)
    await flows.draw("bob", Lane.LIVE, 10, END)
    await flows.forget("ann")
    assert await flows.draw("ann", Lane.LIVE, 0, END) == 1
    assert await flows.draw("bob", Lane.LIVE, 0, END) == 12


@pytest.mark.parametrize("user_id", USER_IDS)
async def test_an_id_of_any_sign_in_provider_has_a_flow_of_its_own(
    flows: Flows, user_id: str
) -> None:
    assert await flows.draw(user_id, Lane.LIVE, 0, END) == 1
    assert await flows.draw(user_id, Lane.LIVE, 0, END) == 2
    assert await flows.draw(f"-{user_id[1:]}", Lane.LIVE, 0, END) == 1
    await flows.forget(user_id)
    assert await flows.draw(user_id, Lane.LIVE, 0, END) == 1
