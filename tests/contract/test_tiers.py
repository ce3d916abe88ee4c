"""The contract of `Tiers`: memory and Firestore."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from lumimd.adapters.memory.tiers import MemoryTiers
from lumimd.policies.tiers import Tier
from lumimd.ports.tiers import Tiers

Store = Callable[[str, object], Awaitable[Any]]


@pytest.fixture(params=["memory", pytest.param("firestore", marks=pytest.mark.emulator)])
async def tiers(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Tiers, Store]]:
    """The tiers with a default, and a function that stores one as the billing system does."""
    if request.param == "memory":
        memory = MemoryTiers(Tier.PAID)

        async def put(user_id: str, tier: object) -> None:
            memory.set(user_id, tier)

        yield memory, put
        return
    from google.cloud import firestore

    from lumimd.adapters.firestore.tiers import FirestoreTiers

    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", request.getfixturevalue("firestore_host"))
    client = firestore.AsyncClient(project=f"demo-{uuid.uuid4().hex[:12]}")
    yield (
        FirestoreTiers(client, Tier.PAID),
        lambda user_id, tier: client.document(f"users/{user_id}").set({"tier": tier}),
    )
    client.close()


async def test_a_stored_tier_applies_from_the_next_call(tiers: tuple[Tiers, Store]) -> None:
    known, put = tiers
    assert await known.of("ann") is Tier.PAID
    await put("ann", "free")
    assert await known.of("ann") is Tier.FREE
    assert await known.of("bob") is Tier.PAID
    await put("ann", "paid")
    assert await known.of("ann") is Tier.PAID


@pytest.mark.parametrize("stored", [None, "", "gold", "FREE", 7, ["free"]])
async def test_an_unknown_tier_is_the_default(tiers: tuple[Tiers, Store], stored: object) -> None:
    known, put = tiers
    await put("ann", stored)
    assert await known.of("ann") is Tier.PAID
