"""`scripts/simulate`: many worlds, a seed each, on all cores."""

import argparse
import gc
import inspect
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from typing import Any

from tenacity import _utils as tenacity_utils

from lumimd import logs
from lumimd.transcript import Transcript
from lumimd.visit import IllegalTransition
from tests.simulation.actors import Phones, Queue, Scheduler, StorageEvents, Webhook
from tests.simulation.faults import LEVELS, Dependency
from tests.simulation.invariants import Invariants
from tests.simulation.providers import Cloud, Instance
from tests.simulation.report import Report, story_of
from tests.simulation.sabotage import GUARDS, removed
from tests.simulation.world import Options, World, about_visit, current

VISITS_A_WORLD = 60
INSTANCES = 6
QUIET_S = 48 * 3600.0
SMALL_PAGE_BYTES = 150
"""So that the short transcripts of a simulation have several pages."""


def run_world(seed: int, options: Options) -> tuple[Report, World]:
    """One world from its first upload to its end."""
    world = World(seed, options)
    cloud = Cloud(world)
    world.new_instance = lambda number: Instance(cloud)
    world.instances = [Instance(cloud) for _ in range(INSTANCES)]
    events = StorageEvents(world, cloud)
    phones = Phones(world, cloud, events)
    Webhook(world, cloud)
    Queue(world, cloud)
    Scheduler(world)
    invariants = Invariants(world, cloud, phones, events)
    with _observed(world):
        phones.plan()
        world.loop.run(until=phones.last_action_at + QUIET_S)
        if not (world.breaches and options.stop_at_first):
            invariants.at_the_end()
    world.loop.close()
    report = Report(
        visits=options.visits,
        statuses=invariants.statuses(),
        faults=world.faults.injected,
        history=invariants.history,
        max_minutes=max(invariants.minutes_to_terminal(), default=0.0),
    )
    report.calls.update(world.calls)
    for stored in world.documents.visits.values():
        if stored.visit.processing_error is not None:
            report.codes[stored.visit.processing_error.code] += 1
    report.dead_lettered = sum(path.startswith("deadLetters") for path in world.documents.others)
    report.breaches.update(breach.invariant for breach in world.breaches)
    if world.breaches:
        report.failing_seeds.append(seed)
        report.first = (seed, world.breaches[0])
        report.story = story_of(world.trace, world.breaches[0].visit_id)
    return report, world


@contextmanager
def _observed(world: World) -> Iterator[None]:
    """Have the pipeline's own log lines in the trace, and its bugs among the breaches."""
    real = (logs.event, logs.failure, logs.about)
    is_coroutine = tenacity_utils.is_coroutine_callable
    pages = Transcript.pages.__defaults__

    def event(name: str, severity: str = "info", **fields: Any) -> None:
        world.note(_who(), about_visit.get(), name, fields.get("code"))

    def failure(name: str, error: BaseException, **fields: Any) -> None:
        world.note(_who(), about_visit.get(), name, error)
        if name in ("bug", "wake_failed") and not isinstance(error, ExceptionGroup):
            _judge(world, error)

    logs.event, logs.failure, logs.about = event, failure, _About  # type: ignore[assignment,misc]
    Transcript.pages.__defaults__ = (SMALL_PAGE_BYTES,)
    tenacity_utils.is_coroutine_callable = _is_coroutine_callable
    collects = gc.isenabled()
    gc.disable()  # who is cleaned up when must not depend on how much else there is
    try:
        yield
    finally:
        if collects:
            gc.enable()
        tenacity_utils.is_coroutine_callable = is_coroutine
        logs.event, logs.failure, logs.about = real  # type: ignore[misc]
        Transcript.pages.__defaults__ = pages


def _is_coroutine_callable(function: Any) -> bool:
    """As tenacity's own, which takes a third of the time of a simulation."""
    return bool(getattr(function, "__code__", None)) and bool(
        function.__code__.co_flags & inspect.CO_COROUTINE
    )


def _judge(world: World, error: BaseException) -> None:
    from lumimd.errors import Transient

    if isinstance(error, Transient):
        return
    name = "illegalTransitions" if isinstance(error, IllegalTransition) else "bug"
    world.breach(name, about_visit.get(), f"{type(error).__name__}: {error}")


def _who() -> str:
    invocation = current.get(None)
    return invocation.name if invocation else "-"


class _About:
    """As `logs.about`: which visit the lines inside are about."""

    def __init__(self, **fields: Any) -> None:
        self._visit_id = fields.get("visitId")

    def __enter__(self) -> None:
        if self._visit_id is not None:
            self._token = about_visit.set(self._visit_id)

    def __exit__(self, *exc: object) -> None:
        if self._visit_id is not None:
            with suppress(ValueError):  # a killed invocation is cleaned up from outside
                about_visit.reset(self._token)


@dataclass(frozen=True)
class Batch:
    """Some worlds that one process runs one after the other."""

    worlds: tuple[tuple[int, int], ...]
    level: str
    outages: tuple[tuple[Dependency, float], ...] = ()
    sabotage: str | None = None
    until_broken: bool = False


def run_batch(batch: Batch) -> Report:
    """The worlds (seed, visits) of a batch."""
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
    gc.collect()
    return report


def batches(
    visits: int, seed: int, level: str, worlds_each: int = 4, **more: Any
) -> Iterator[Batch]:
    """All visits, in worlds of a handful; world `n` has the seed `seed + n`."""
    worlds = [
        (seed + number, min(VISITS_A_WORLD, visits - number * VISITS_A_WORLD))
        for number in range(-(-visits // VISITS_A_WORLD))
    ]
    for first in range(0, len(worlds), worlds_each):
        yield Batch(tuple(worlds[first : first + worlds_each]), level, **more)


def reports(planned: Iterator[Batch], processes: int) -> Iterator[Report]:
    """The reports as they come in; at most a few batches wait at a time."""
    if processes == 1:
        yield from map(run_batch, planned)
        return
    with workers(processes) as pool:
        running: set[Future[Report]] = set()
        try:
            while True:
                fresh = islice(planned, processes * 2 - len(running))
                running |= {pool.submit(run_batch, batch) for batch in fresh}
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def workers(processes: int) -> ProcessPoolExecutor:
    """Processes that begin afresh: one forked from a process with threads may never wake up."""
    return ProcessPoolExecutor(processes, mp_context=get_context("spawn"))


def simulate(
    planned: Iterator[Batch], processes: int, on_progress: Callable[[int], None]
) -> Report:
    """The sum of all reports."""
    total = Report()
    for report in reports(planned, processes):
        total.add(report)
        on_progress(report.visits)
    return total


def hunt(name: str, visits: int, seed: int, level: str = "heavy") -> Report:
    """Run without the guard `name` until something breaks, at most `visits` visits."""
    total = Report()
    for batch in batches(visits, seed, level, 1, sabotage=name, until_broken=True):
        total.add(run_batch(batch))
        if total.first:
            break
    return total


def main(arguments: list[str] | None = None) -> int:
    """Parse, run, print; 1 when an invariant broke."""
    options = _parser().parse_args(arguments)
    if options.list_sabotages:
        for name, guard in GUARDS.items():
            print(f"{name:<52} {guard.why}")
        return 0
    processes = options.processes or os.cpu_count() or 1
    if options.sabotage == "all":
        return _sabotage_all(options, processes)
    began = time.monotonic()
    outages = tuple(_outage(text) for text in options.outage)
    planned = batches(
        options.visits, options.seed, options.faults, outages=outages, sabotage=options.sabotage
    )
    if options.visits <= 4 * VISITS_A_WORLD:
        processes = 1
    with _progress("simulating", options.visits) as advance:
        report = simulate(planned, processes, advance)
    result = report.as_json(options.seed, time.monotonic() - began)
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        _print(result)
    if report.first is None:
        return 0
    seed, breach = report.first
    print(
        f"\n{breach.invariant} broke in the world of seed {seed}: {breach.detail}", file=sys.stderr
    )
    print(f"The last events of visit {breach.visit_id}:\n{report.story}", file=sys.stderr)
    again = (
        f"--visits {min(options.visits, VISITS_A_WORLD)} --seed {seed} --faults {options.faults}"
    )
    if options.sabotage:
        again += f" --sabotage {options.sabotage}"
    print(f"\nAgain: scripts/simulate {again}", file=sys.stderr)
    return 1


def _sabotage_all(options: argparse.Namespace, processes: int) -> int:
    """The table: which guard was missed after how many visits, and by which invariant."""
    unnoticed = []
    rows = {}
    with _progress("sabotaging", len(GUARDS)) as advance, workers(processes) as pool:
        running = {
            name: pool.submit(hunt, name, options.visits, options.seed, options.faults)
            for name in GUARDS
        }
        for name, future in running.items():
            report = future.result()
            advance(1)
            rows[name] = {
                "visits": report.visits,
                "invariant": report.first[1].invariant if report.first else None,
                "seed": report.first[0] if report.first else None,
            }
            if report.first is None:
                unnoticed.append(name)
    if options.json:
        print(json.dumps({"sabotages": rows, "unnoticed": unnoticed}, indent=2))
    else:
        for name, row in rows.items():
            found = f"{row['invariant']} (seed {row['seed']})" if row["invariant"] else "UNNOTICED"
            print(f"{name:<52} {row['visits']:>6} visits  {found}")
    return 1 if unnoticed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/simulate", description=__doc__)
    parser.add_argument("--visits", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1, help="of the first world; the next has + 1")
    parser.add_argument("--faults", choices=list(LEVELS), default="normal")
    parser.add_argument(
        "--outage",
        action="append",
        default=[],
        metavar="DEPENDENCY:MINUTES",
        help=f"five minutes after the start; one of {', '.join(Dependency)}",
    )
    parser.add_argument(
        "--sabotage", choices=[*GUARDS, "all"], metavar="NAME", help="remove a guard; or: all"
    )
    parser.add_argument("--list-sabotages", action="store_true")
    parser.add_argument("--processes", type=int, default=0, help="default: one a core")
    parser.add_argument("--json", action="store_true")
    return parser


def _outage(text: str) -> tuple[Dependency, float]:
    dependency, _, minutes = text.partition(":")
    return Dependency(dependency), float(minutes)


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    bar = Progress(
        what,
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.advance(task, done)


def _print(result: dict[str, Any]) -> None:
    for key, value in result.items():
        if isinstance(value, dict):
            value = ", ".join(f"{name} {number}" for name, number in value.items()) or "none"
        print(f"{key:<32} {value}")


if __name__ == "__main__":
    sys.exit(main())
