"""Measures the cost of admission control: `scripts/python -m tests.benchmarks.admission`.

It counts Firestore operations per visit with the memory adapters, and permits per second that eight
concurrent instances take through the emulator, which must be installed.
"""

import asyncio
import os
import tempfile
import time
import uuid
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Final

from infra.local.emulators import firestore_command
from infra.local.supervision.ports import free_ports
from infra.local.supervision.processes import Process
from infra.local.supervision.ready import http_ok
from lumimd.adapters.firestore.database import FirestoreDatabase
from lumimd.adapters.memory import ManualClock
from lumimd.coordination.admission.semaphore import Semaphore
from lumimd.domain.paths import PERMITS
from lumimd.policies.permits import Cap, Shard
from lumimd.policies.priorities import Priority
from lumimd.stores.shared_documents import SharedDocuments
from tests.support.servers import running
from tests.support.services import START
from tests.support.shared_documents import Troubled

TAKERS: Final = 8
EACH: Final = 50
END: Final = START + timedelta(hours=1)


async def operations(cap: int, already: int) -> tuple[Counter[str], Counter[str]]:
    """Return the operations of taking and of releasing a permit, with `already` permits taken."""
    shards = Troubled(Shard)
    semaphore = Semaphore(shards, Cap.of(cap), ManualClock(START))
    for number in range(already):
        await semaphore.take(f"other{number}/1", Priority.LIVE, END)

    async def counted(work: object) -> Counter[str]:
        reads, writes = shards.reads, shards.writes
        await work  # type: ignore[misc]
        return Counter(reads=shards.reads - reads, writes=shards.writes - writes)

    take = await counted(semaphore.take("visit/1", Priority.LIVE, END))
    return take, await counted(semaphore.release("visit/1"))


async def takes_per_second(cap: int) -> tuple[float, int]:
    """Return how many permits per second eight instances take, and how many they took."""
    from google.cloud import firestore

    client = firestore.AsyncClient(project=f"demo-{uuid.uuid4().hex[:12]}")
    documents = SharedDocuments(FirestoreDatabase(lambda: client), PERMITS, Shard)

    async def taker(name: int) -> int:
        semaphore = Semaphore(documents, Cap.of(cap), ManualClock(START))
        taken = 0
        for number in range(EACH):
            taken += await semaphore.take(f"v{name}-{number}/1", Priority.LIVE, END)
        return taken

    began = time.perf_counter()
    taken = sum(await asyncio.gather(*(taker(name) for name in range(TAKERS))))
    seconds = time.perf_counter() - began
    client.close()
    return TAKERS * EACH / seconds, taken


def main() -> None:
    print("Firestore operations for the permit of one visit")
    for cap, already in ((200, 0), (200, 100), (200, 180), (200, 199), (5, 4)):
        take, release = asyncio.run(operations(cap, already))
        print(
            f"  cap {cap:>3}, {already:>3} taken   take {take['reads']:>2} reads "
            f"{take['writes']} writes   release {release['reads']:>2} reads "
            f"{release['writes']} writes"
        )
    (port,) = free_ports({"firestore": 0}).values()
    emulator = Process(
        name="firestore",
        argv=firestore_command(port=port, project="demo-lumimd", env=os.environ),
        ready=http_ok(f"http://127.0.0.1:{port}/"),
    )
    with (
        tempfile.TemporaryDirectory() as run_dir,
        running([emulator], Path(run_dir)),
    ):
        os.environ["FIRESTORE_EMULATOR_HOST"] = f"127.0.0.1:{port}"
        print(f"Takes a second by {TAKERS} instances at once, {EACH} each")
        for cap in (5, 200, 2000):
            rate, taken = asyncio.run(takes_per_second(cap))
            print(f"  cap {cap:>4}   {rate:6.0f} a second   {taken:>3} of {TAKERS * EACH} taken")


if __name__ == "__main__":
    main()
