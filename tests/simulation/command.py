"""Runs simulations of the pipeline (worlds), checks invariants, and prints a report."""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.simulation.batches import VISITS_A_WORLD, batches, hunt, silence, simulate, workers
from tests.simulation.faults import Dependency
from tests.simulation.levels import LEVELS
from tests.simulation.sabotage import GUARDS


def main(arguments: list[str] | None = None) -> int:
    """Run the command `scripts/simulate`; return 1 if an invariant broke, else 0."""
    options = _parser().parse_args(arguments)
    silence()
    if options.list_sabotages:
        for name, guard in GUARDS.items():
            print(f"{name:<52} {guard.why}")
        return 0
    processes = options.processes or os.cpu_count() or 1
    if options.sabotage == "all":
        return _sabotage_all(options, processes)
    began = time.monotonic()
    guard = GUARDS.get(options.sabotage)
    level = options.faults or (guard.level if guard else "normal")
    outages = tuple(_outage(text) for text in options.outage)
    if guard and not outages:
        outages = guard.outages  # without these faults, removing the guard breaks no invariant
    planned = batches(
        options.visits, options.seed, level, outages=outages, sabotage=options.sabotage
    )
    if options.visits <= 8 * VISITS_A_WORLD:
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
    again = f"--visits {min(options.visits, VISITS_A_WORLD)} --seed {seed} --faults {level}"
    again += "".join(f" --outage {which}:{minutes:g}" for which, minutes in outages)
    if options.sabotage:
        again += f" --sabotage {options.sabotage}"
    print(f"\nAgain: scripts/simulate {again}", file=sys.stderr)
    return 1


def _sabotage_all(options: argparse.Namespace, processes: int) -> int:
    """Remove each guard in turn; print the invariant that broke, and after how many visits."""
    unnoticed = []
    rows = {}
    with _progress("sabotaging", len(GUARDS)) as advance, workers(processes) as pool:
        running = {name: pool.submit(hunt, name, options.visits, options.seed) for name in GUARDS}
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
    parser.add_argument("--seed", type=int, default=1, help="of the first world; each next has + 1")
    parser.add_argument(
        "--faults",
        choices=list(LEVELS),
        help="default: normal, or the level at which removing the guard breaks an invariant",
    )
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
def _progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    bar = Progress(
        label,
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task(label, total=total)
        yield lambda done: bar.advance(task, done)


def _print(result: dict[str, Any]) -> None:
    for key, value in result.items():
        if isinstance(value, dict):
            value = ", ".join(f"{name} {number}" for name, number in value.items()) or "none"
        print(f"{key:<32} {value}")


if __name__ == "__main__":
    sys.exit(main())
