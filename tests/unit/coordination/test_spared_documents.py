"""Test that work goes on with an empty spare in place of an unreadable shared document."""

from typing import Any

import pytest

from lumimd.coordination.breaker.shared import SharedBreaker
from lumimd.coordination.flags import SharedFlags
from lumimd.coordination.shared_document import SPARE, Shared, Spared
from lumimd.domain.errors import UnreadableDocument
from lumimd.pipeline import accept, collect
from lumimd.policies.breaker import Breaker
from lumimd.policies.flags import KEY, Flags
from lumimd.policies.permits import Cap, Shard
from lumimd.policies.pseudonyms import Pseudonyms
from lumimd.ports.transcriber import Transcribed
from lumimd.stores.shared_documents import SharedDocuments
from tests.support.services import MemoryServices, transcript
from tests.support.shared_documents import COLLECTION, in_memory, raw
from tests.support.visits import minutes_pass

NEWER = {"places": "as of a newer release", "turns": 7, "missing": "many", "processing": "auto"}


def damage(documents: SharedDocuments[Any], key: str) -> None:
    """Overwrite the document as a newer release would."""
    raw(documents)[f"{COLLECTION}/{key}"] = dict(NEWER)


async def accepted(services: MemoryServices, *names: str) -> None:
    for name in names:
        await accept.accept(services, services.upload(name, user_id=name))


@pytest.mark.parametrize("cap", [Cap(2, 2), Cap(6, 4, per_shard=3)])
async def test_jobs_are_submitted_up_to_the_cap_although_stored_permits_are_unreadable(
    cap: Cap,
) -> None:
    services = MemoryServices(cap=cap)
    damage(services.gate.shards.kept, "0000")
    await accepted(services, *(f"v{number}" for number in range(8)))
    assert len(services.transcriber.orders) == cap.permits, "counted anew, at most the cap"
    for _ in range(8):
        for order in list(services.transcriber.orders):
            services.transcriber.finish(order.transcript_id, Transcribed(transcript()))
            await collect.collect(services, order.visit_id, 1, order.transcript_id)
        await minutes_pass(services, 1)
    assert len(services.transcriber.orders) == 8
    assert raw(services.gate.shards.kept)[f"{COLLECTION}/0000"] == NEWER, (
        "the document is unchanged"
    )
    assert await services.gate.holders() == {}, "every permit is released"


async def test_the_fair_queue_continues_although_its_document_is_unreadable() -> None:
    services = MemoryServices(cap=Cap(1, 1))
    await accepted(services, "a", "b", "c")
    damage(services.gate.lines, "turns")
    for name in ("a", "b", "c"):
        (order,) = [o for o in services.transcriber.orders if o.visit_id == name]
        services.transcriber.finish(order.transcript_id, Transcribed(transcript()))
        await collect.collect(services, name, 1, order.transcript_id)
        await minutes_pass(services, 1)
    assert [order.visit_id for order in services.transcriber.orders] == ["a", "b", "c"]
    assert raw(services.gate.lines)[f"{COLLECTION}/turns"] == NEWER


async def test_an_unreadable_quota_is_counted_from_zero() -> None:
    services = MemoryServices()
    services.gate.has_quota = True
    damage(services.gate.buckets.kept, f"visits-{Pseudonyms().of('u')}")
    for number in range(25):
        await accept.accept(services, services.upload(f"v{number}", user_id="u"))
    assert len(services.transcriber.orders) == 20, "as many as the tier allows"


async def test_unreadable_flags_have_their_default_values_at_first() -> None:
    services = MemoryServices()
    documents = in_memory(Flags)
    damage(documents, KEY)
    assert await SharedFlags(documents, services.clock).now() == Flags()


async def test_calls_pass_although_the_breaker_document_is_unreadable() -> None:
    services = MemoryServices()
    store = in_memory(Breaker)
    raw(store)[f"{COLLECTION}/breaker-model"] = {"name": "model", "state": "ajar"}
    with pytest.raises(UnreadableDocument):
        await store.get("breaker-model")
    shared = SharedBreaker("model", store, services.clock)
    assert await shared.become(lambda breaker: breaker) is None
    assert shared.lets_all_pass


async def test_a_shared_document_that_becomes_readable_replaces_its_spare() -> None:
    kept = in_memory(Shard)
    shared, shard = Shared(kept), Shard()
    await shared.change("k", lambda found: (shard, None))
    before = raw(kept)[f"{COLLECTION}/k"]
    damage(kept, "k")
    await shared.change("k", lambda found: (shard, None))
    assert f"{COLLECTION}/k{SPARE}" in raw(kept)
    raw(kept)[f"{COLLECTION}/k"] = before
    version = raw(kept).version(f"{COLLECTION}/k")
    assert await Spared(kept).get("k") == (shard, version)
    assert await Spared(kept).all() == {"k": shard}


async def test_deleting_a_shared_document_deletes_the_spare_of_an_unreadable_one() -> None:
    kept = in_memory(Shard)
    damage(kept, "k")
    await Shared(kept).change("k", lambda found: (Shard(spilled_until=None), None))
    await Spared(kept).delete("k")
    assert not raw(kept)
