"""Kills one process of the stack after another with SIGKILL, and restarts it immediately."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Final

from infra.local.stack import ENTRY_POINTS
from infra.local.supervision.processes import Processes

VICTIMS: Final = (*ENTRY_POINTS, "tasks", "eventarc", "scheduler")
"""The processes that may be killed. Firestore, the bucket, Pub/Sub and the speech server are not in
the list, because these stand-ins, unlike the cloud, would lose data that the verdict needs."""

PAUSE_S: Final = (1.0, 3.0)

AIMED: Final = 0.5
"""The share of kills that wait until the victim works. A function needs only some hundredths of a
second for a step of a visit, so most kills at random moments would hit idle processes."""

AIM_FOR_S: Final = 1.0
"""The longest wait until a victim works; the wait is part of the pause between kills."""

LOOK_EVERY_S: Final = 0.002


class Killer:
    """Kills processes of the stack; `rng` decides the moment and the victim of each kill.

    The file `kills.log` in `run_dir` has a line for each kill, to compare with the victims' logs.
    """

    def __init__(self, processes: Processes, rng: Random, run_dir: Path) -> None:
        self.kills: Counter[str] = Counter()
        self._processes = processes
        self._rng = rng
        self._run_dir = run_dir
        self._starts: dict[str, asyncio.Task[None]] = {}

    async def kill_until(self, enough: Callable[[], bool]) -> None:
        """Kill until `enough()` is true; return when all processes run again.

        Raises:
            ProcessFailed: a process did not start again.
        """
        try:
            while not enough():
                aimed = self._rng.random() < AIMED
                least, most = PAUSE_S
                await asyncio.sleep(self._rng.uniform(least, most - AIM_FOR_S * aimed))
                if up := [name for name in VICTIMS if self._is_up(name)]:
                    await self._kill(self._rng.choice(up), aimed=aimed)
            await asyncio.gather(*self._starts.values())
        finally:
            for start in self._starts.values():
                start.cancel()
            await asyncio.gather(*self._starts.values(), return_exceptions=True)

    def _is_up(self, name: str) -> bool:
        """Return whether the process runs; raise the error if its restart has failed."""
        start = self._starts.get(name)
        if start is None or not start.done():
            return start is None
        start.result()
        return True

    async def _kill(self, victim: str, *, aimed: bool) -> None:
        if aimed:
            await self._until_at_work(victim)
        self._note(f"kill {victim}")
        await self._processes.kill(victim)
        self.kills[victim] += 1
        self._starts[victim] = asyncio.create_task(self._start(victim))

    async def _until_at_work(self, victim: str) -> None:
        """Wait at most AIM_FOR_S until the victim logs a line (functions do so after each save)."""
        log = self._run_dir / f"{victim}.log"
        before = log.stat().st_size
        for _ in range(round(AIM_FOR_S / LOOK_EVERY_S)):
            if log.stat().st_size > before:
                return
            await asyncio.sleep(LOOK_EVERY_S)

    async def _start(self, victim: str) -> None:
        await self._processes.start(victim)
        self._note(f"{victim} is up")

    def _note(self, text: str) -> None:
        with (self._run_dir / "kills.log").open("a") as log:
            log.write(f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {text}\n")
