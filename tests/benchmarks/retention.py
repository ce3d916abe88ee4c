"""Measures retention runs until 100,000 visits, half without a recording, are processed.

    scripts/python -m tests.benchmarks.retention [--visits 100000] [--seconds-a-deletion 0.1]

It uses the memory store, and a clock that advances by the time of each deletion in the bucket, so
that runs reach their time limit as in the cloud. It prints the deletions, the reads and the peak
memory of each run, without the memory that the store keeps for its writes.
"""

import argparse
import asyncio
import io
import time
import tracemalloc
from collections import Counter
from datetime import timedelta
from typing import Any, Final

from lumimd.adapters.memory.documents import MemoryDocuments
from lumimd.pipeline import retain
from lumimd.policies.deployment import Policy
from lumimd.ports.paging import Page
from lumimd.telemetry import logs
from tests.support.api import completed, failed, visit_of
from tests.support.services import MemoryServices

THREADS: Final = 5
"""Number of threads with which the storage SDK deletes concurrently in a one-CPU function."""


class Bucket:
    """A stub bucket that deletes at once, and advances the clock by the time of a deletion."""

    def __init__(self, services: MemoryServices, seconds: float) -> None:
        self._services, self._step = services, timedelta(seconds=seconds / THREADS)
        self.erased = 0

    async def erase(self, bucket: str, folder: str, up_to: int | None = None) -> int:
        await asyncio.sleep(0)
        self._services.clock.advance(self._step)
        self.erased += 1
        return 1


class CountedReads:
    """Counts the documents that the store reads in pages and the single documents."""

    def __init__(self, services: MemoryServices) -> None:
        self.count: Counter[str] = Counter()
        for name in ("waiting", "older", "with_audio"):
            setattr(
                services.retention_queries,
                name,
                self._pages(getattr(services.retention_queries, name)),
            )
        services.store.get = self._single(services.store.get)  # type: ignore[method-assign]

    def _pages(self, ask: Any) -> Any:
        async def asked(*args: Any) -> Page[Any]:
            page = await ask(*args)
            self.count["of pages"] += max(1, page.read)
            return page

        return asked

    def _single(self, get: Any) -> Any:
        async def got(visit_id: str) -> Any:
            self.count["single"] += 1
            return await get(visit_id)

        return got


def fill(raw: MemoryDocuments, visits: int) -> None:
    """Store `visits` visits, every second visit without a recording."""
    for number in range(visits):
        visit = visit_of("user-1", f"v{number:06d}", minutes=number // 100)
        recorded = number % 2 == 0
        made = completed(visit) if recorded else failed(visit, audio=None, timings=None)
        raw[f"visits/{visit.visit_id}"] = made.to_stored()


async def main(visits: int, seconds: float) -> None:
    logs.configure(to=io.StringIO())
    services = MemoryServices(policy=Policy(requires_consent=False))
    bucket = Bucket(services, seconds)
    services.audio = bucket  # type: ignore[assignment]
    fill(services.store.raw, visits)
    reads = CountedReads(services)
    services.clock.advance(timedelta(days=200))
    tracemalloc.start()
    run = 0
    while True:
        run += 1
        reads.count.clear()
        tracemalloc.reset_peak()
        before, began_at, began = (
            tracemalloc.get_traced_memory()[0],
            services.clock.now(),
            time.time(),
        )
        done = await retain.enforce(services)
        after, peak = tracemalloc.get_traced_memory()
        print(
            f"run {run}: {done['recordings_erased']} erased, reads {dict(reads.count)}, "
            f"{services.clock.now() - began_at} by its clock, {time.time() - began:.0f} s here, "
            f"peak {(peak - max(before, after)) / 2**20:.1f} MiB above the store's own memory",
            flush=True,
        )
        if not done["recordings_erased"]:
            break
        services.clock.advance(timedelta(hours=1))
    assert bucket.erased == visits - visits // 2, bucket.erased


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--visits", type=int, default=100_000)
    parser.add_argument("--seconds-a-deletion", type=float, default=0.1)
    asked = parser.parse_args()
    asyncio.run(main(asked.visits, asked.seconds_a_deletion))
