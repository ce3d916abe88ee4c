"""The contract of `Tiers`: one suite for the memory adapter and for Firestore."""

import uuid
from collections.abc import Iterator

import pytest

from lumimd.adapters.firestore.database import FirestoreDatabase
from lumimd.adapters.memory.database import MemoryDatabase
from lumimd.policies.tiers import Tier
from lumimd.ports.database import Database, Write
from lumimd.stores.tiers import Tiers


@pytest.fixture(params=["memory", pytest.param("firestore", marks=pytest.mark.emulator)])
def database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    if request.param == "memory":
        yield MemoryDatabase()
        return
    from google.cloud import firestore

    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", request.getfixturevalue("firestore_host"))
    client = firestore.AsyncClient(project=f"demo-{uuid.uuid4().hex[:12]}")
    yield FirestoreDatabase(lambda: client)
    client.close()


async def put(database: Database, user_id: str, tier: object) -> None:
    """Store a tier as the billing system does."""
    await database.commit(Write(f"users/{user_id}", {"tier": tier}))


async def test_a_stored_tier_applies_from_the_next_call(database: Database) -> None:
    tiers = Tiers(database, Tier.PAID)
    assert await tiers.of("ann") is Tier.PAID
    await put(database, "ann", "free")
    assert await tiers.of("ann") is Tier.FREE
    assert await tiers.of("bob") is Tier.PAID
    await put(database, "ann", "paid")
    assert await tiers.of("ann") is Tier.PAID


@pytest.mark.parametrize("stored", [None, "", "gold", "FREE", 7, ["free"]])
async def test_an_unknown_tier_is_the_default(database: Database, stored: object) -> None:
    await put(database, "ann", stored)
    assert await Tiers(database, Tier.PAID).of("ann") is Tier.PAID
