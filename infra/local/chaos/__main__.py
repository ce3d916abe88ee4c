"""`scripts/chaos`: uploads visits to the local stack while it kills processes with SIGKILL."""

import argparse
import json
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from infra.local.chaos.report import show, show_broken, to_json
from infra.local.chaos.run import Outcome, Score, Settings, run
from infra.local.launcher import exit_code
from infra.local.stack import ROOT

LINE_EVERY: Final = 15
"""Scores per printed line if no bar can be drawn; there is about one score per second."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return exit code 0 only if every promise was kept."""
    wanted = _parser().parse_args(arguments)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    settings = Settings(visits=wanted.visits, seed=wanted.seed, kills=wanted.kills)
    console.print(f"Seed {settings.seed}. Starting the stack:")
    return exit_code(_chaos(settings, console, wanted.json), console, interrupted=130)


async def _chaos(settings: Settings, console: Console, as_json: bool) -> int:
    with _progress(console) as watch:
        outcome = await run(settings, watch, console.print)
    return _report(outcome, console, as_json=as_json)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/chaos", description=__doc__)
    parser.add_argument("--visits", type=_positive, default=300, metavar="N", help="default: 300")
    parser.add_argument(
        "--seed",
        type=int,
        default=secrets.randbelow(1_000_000),
        metavar="S",
        help="decides recordings, faults and kills; default: random",
    )
    parser.add_argument(
        "--kills", type=int, default=50, metavar="K", help="the least number; default: 50"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    return parser


def _positive(given: str) -> int:
    number = int(given)
    if number < 1:
        raise argparse.ArgumentTypeError("at least one visit is needed")
    return number


@contextmanager
def _progress(console: Console) -> Iterator[Callable[[Score], None]]:
    """Show the scores: as a bar on a terminal, elsewhere as a line for every LINE_EVERY scores."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("starting", total=None)
        seen = 0

        def watch(score: Score) -> None:
            nonlocal seen
            line = (
                f"uploaded {len(score.uploaded_at)}/{score.visits}, "
                f"ended {score.ended}, kills {score.kills.total()}"
            )
            progress.update(bar, description=line, completed=score.ended, total=score.visits)
            if not console.is_terminal and seen % LINE_EVERY == 0:
                console.print(f"  {line}")
            seen += 1

        yield watch


def _report(outcome: Outcome, console: Console, *, as_json: bool) -> int:
    if as_json:
        json.dump(to_json(outcome), sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        show(outcome, Console(highlight=False))
    if not outcome.verdict.breaches:
        console.print("All promises were kept.")
        return 0
    show_broken(outcome, console)
    console.print(f"The logs of every part are in {outcome.run_dir.relative_to(ROOT)}/")
    return 1


if __name__ == "__main__":
    sys.exit(main())
