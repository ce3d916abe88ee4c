"""Kills processes of the stack with SIGKILL, one after the other, and starts them again at once."""

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
"""Never Firestore, the bucket, Pub/Sub or the speech server: the cloud does not forget what they
hold, these stand-ins would, and by them everything is judged."""

PAUSE_S: Final = (1.0, 3.0)

AIMED: Final = 0.5
"""The share of kills that wait for the victim to be at work. The steps of a visit take a function a
few hundredths of a second: left to chance alone, most kills would hit processes that do nothing."""

AIM_FOR_S: Final = 1.0
"""The longest such wait; it is part of the pause."""

LOOK_EVERY_S: Final = 0.002


class Killer:
    """`rng` decides when it hits, and whom of those that are up.

    Each kill is a line of `kills.log` in `run_dir`, to be read beside the logs of the victims.
    """

    def __init__(self, processes: Processes, rng: Random, run_dir: Path) -> None:
        self.kills: Counter[str] = Counter()
        self._processes = processes
        self._rng = rng
        self._run_dir = run_dir
        self._starts: dict[str, asyncio.Task[None]] = {}

    async def kill_until(self, enough: Callable[[], bool]) -> None:
        """Kill until `enough()`; returns when everybody is up again.

        Raises:
            ProcessFailed: one did not start again.
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
        """Whether it has started; raises what kept it from starting."""
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
        """Until the victim logs a line (a function does so after each save), or for a while."""
        log = self._run_dir / f"{victim}.log"
        before = log.stat().st_size
        for _ in range(round(AIM_FOR_S / LOOK_EVERY_S)):
            if log.stat().st_size > before:
                return
            await asyncio.sleep(LOOK_EVERY_S)

    async def _start(self, victim: str) -> None:
        await self._processes.start(victim)
        self._note(f"{victim} is up")

    def _note(self, what: str) -> None:
        with (self._run_dir / "kills.log").open("a") as log:
            log.write(f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {what}\n")
