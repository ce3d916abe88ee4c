"""Runs many simulation runs (worlds), each with its own seed, on all cores."""

import gc
import os
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from itertools import count, islice
from multiprocessing import get_context
from typing import Any, Final

from lumimd.telemetry import logs
from tests.simulation.faults import Dependency
from tests.simulation.levels import LEVELS
from tests.simulation.report import Report
from tests.simulation.run import run_world
from tests.simulation.sabotage import GUARDS, removed
from tests.simulation.world import Options

VISITS_A_WORLD: Final = 60

COLLECT_EVERY: Final = 8
"""Number of worlds between garbage collections, which are slow and free few objects."""

_worlds = count(1)


@dataclass(frozen=True)
class Batch:
    """The worlds that a process runs one after another."""

    worlds: tuple[tuple[int, int], ...]
    level: str
    outages: tuple[tuple[Dependency, float], ...] = ()
    sabotage: str | None = None
    until_broken: bool = False


def run_batch(batch: Batch) -> Report:
    """Run the worlds (seed, visits) of a batch; return the sum of their reports."""
    if gc.isenabled():
        gc.collect()
        gc.freeze()
        gc.disable()
    report = Report()
    with removed(batch.sabotage):
        for seed, visits in batch.worlds:
            options = Options(visits, LEVELS[batch.level], batch.outages)
            found, world = run_world(seed, options)
            world.dispose()
            report.add(found)
            if batch.until_broken and found.first:
                break
            if next(_worlds) % COLLECT_EVERY == 0:
                gc.collect()
    return report


def batches(
    visits: int, seed: int, level: str, worlds_each: int = 8, **more: Any
) -> Iterator[Batch]:
    """Split all visits into worlds of `VISITS_A_WORLD`; world `n` has the seed `seed + n`."""
    worlds = [
        (seed + number, min(VISITS_A_WORLD, visits - number * VISITS_A_WORLD))
        for number in range(-(-visits // VISITS_A_WORLD))
    ]
    for first in range(0, len(worlds), worlds_each):
        yield Batch(tuple(worlds[first : first + worlds_each]), level, **more)


def reports(planned: Iterator[Batch], processes: int) -> Iterator[Report]:
    """Yield reports as batches finish."""
    if processes == 1:
        yield from map(run_batch, planned)
        return
    with workers(processes) as pool:
        try:
            yield from reports_of(pool, planned, processes)
        finally:
            pool.shutdown(cancel_futures=True)


def reports_of(
    pool: ProcessPoolExecutor, planned: Iterator[Batch], processes: int
) -> Iterator[Report]:
    """Yield reports as batches finish in `pool`; at most two batches per process are queued."""
    running: set[Future[Report]] = set()
    while True:
        fresh = islice(planned, processes * 2 - len(running))
        running |= {pool.submit(run_batch, batch) for batch in fresh}
        if not running:
            return
        done, running = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            yield future.result()


def workers(processes: int) -> ProcessPoolExecutor:
    """Return a pool of spawned processes, because a fork of a process with threads may deadlock."""
    return ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=silence)


def silence() -> None:
    """Turn logs off, because the clean-up of a killed invocation may log at any time."""
    logs.configure(to=open(os.devnull, "w"))  # noqa: SIM115  # open until the process ends


def simulate(
    planned: Iterator[Batch], processes: int, on_progress: Callable[[int], None]
) -> Report:
    """Run the batches; return the sum of their reports."""
    total = Report()
    for report in reports(planned, processes):
        total.add(report)
        on_progress(report.visits)
    return total


def hunt(name: str, visits: int, seed: int) -> Report:
    """Run without the guard `name` until an invariant breaks, or for `visits` visits."""
    total, guard = Report(), GUARDS[name]
    more: dict[str, Any] = {"outages": guard.outages, "sabotage": name, "until_broken": True}
    for batch in batches(visits, seed, guard.level, 1, **more):
        total.add(run_batch(batch))
        if total.first:
            break
    return total
