"""The commands about dead letters: list, retry many, discard."""

import argparse
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from infra.ops import asked
from infra.ops.desk import Desk
from infra.ops.tables import of_bulk, of_discarded, of_letters
from lumimd.dead_letter import DeadLetter, LetterState
from lumimd.errors import RETRYABLE, ErrorCode
from lumimd.operations import dead_letters
from lumimd.operations.audit import note_reading
from lumimd.operations.bulk_retry import PER_MINUTE, BulkItem, BulkSummary, bulk_retry, choose
from lumimd.operations.operator_store import LetterFilter
from lumimd.records import Stage


def add_commands(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the commands of this module."""
    listed = commands.add_parser(
        "dead-letters", parents=[common], help="what failed for good, newest first"
    )
    _add_filters(listed)
    listed.add_argument("--discarded", action="store_true", help="those that were put away")
    listed.add_argument("--limit", type=asked.count, default=50, metavar="N", help="default: 50")
    listed.set_defaults(command=list_letters)

    many = commands.add_parser(
        "bulk-retry", parents=[common], help="retry dead letters, as dead-letters lists them"
    )
    _add_filters(many)
    many.add_argument("--limit", type=asked.count, default=1000, metavar="N", help="default: 1000")
    many.add_argument(
        "--per-minute",
        type=asked.pace,
        default=float(PER_MINUTE),
        metavar="N",
        help=f"default: {PER_MINUTE}",
    )
    many.set_defaults(command=retry_many)

    away = commands.add_parser("discard", parents=[common], help="put a dead letter away")
    away.add_argument("visit", metavar="VISIT")
    away.add_argument("--reason", type=asked.reason, required=True, metavar="TEXT")
    away.set_defaults(command=discard)


def _add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stage", type=Stage, choices=list(Stage), help="where it failed")
    parser.add_argument(
        "--code", type=ErrorCode, choices=list(ErrorCode), metavar="C", help="why it failed"
    )
    parser.add_argument("--user", metavar="UID", help="of one user")
    parser.add_argument("--since", type=asked.span, metavar="24h", help="failed since then")


def _filter(desk: Desk, wanted: argparse.Namespace, state: LetterState) -> LetterFilter:
    since = desk.operator.parts.clock.now() - wanted.since if wanted.since else None
    return LetterFilter(wanted.stage, wanted.code, wanted.user, since, state)


async def list_letters(desk: Desk, wanted: argparse.Namespace) -> int:
    """The visits that failed, with what is known of the reason."""
    state = LetterState.DISCARDED if wanted.discarded else LetterState.OPEN
    await note_reading(desk.operator, "list_dead_letters", wanted.user or str(state))
    found = await choose(desk.operator, _filter(desk, wanted, state), wanted.limit)
    now = desk.operator.parts.clock.now()
    table = of_discarded(found) if wanted.discarded else of_letters(found, now)
    desk.show({"deadLetters": found}, table)
    if not desk.as_json and len(found) == wanted.limit:
        desk.say(f"These are the first {wanted.limit}; --limit N shows more.")
    return 0


async def retry_many(desk: Desk, wanted: argparse.Namespace) -> int:
    """At a steady pace, with a bar; some that failed make the exit code 1."""
    chosen = await choose(desk.operator, _filter(desk, wanted, LetterState.OPEN), wanted.limit)
    if not chosen:
        desk.show(_nothing(), "No open dead letter is like that.")
        return 0
    minutes = len(chosen) / wanted.per_minute
    took = f"about {minutes:.0f} minutes" if minutes >= 1.5 else f"{minutes * 60:.0f} seconds"
    hopeless = sum(letter.code not in RETRYABLE for letter in chosen)
    if hopeless:
        desk.say(f"{hopeless} of {len(chosen)} will be refused: the recording is the trouble.")
    if not desk.confirm(f"Retry {len(chosen)} visits, {wanted.per_minute:g} a minute ({took})?"):
        return 1
    summary = await _with_bar(desk, chosen, wanted.per_minute)
    desk.show(summary, of_bulk(summary))
    return 0 if summary.retried == summary.chosen else 1


async def _with_bar(desk: Desk, chosen: list[DeadLetter], per_minute: float) -> BulkSummary:
    columns = (
        TextColumn("Retrying"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=desk.told, disable=desk.as_json) as progress:
        bar = progress.add_task("", total=len(chosen))

        def on_item(item: BulkItem) -> None:
            progress.update(bar, advance=1, description=item.visit_id)

        return await bulk_retry(desk.operator, chosen, per_minute=per_minute, on_item=on_item)


async def discard(desk: Desk, wanted: argparse.Namespace) -> int:
    """Nobody needs to look at it again; the visit stays as it is."""
    if not desk.confirm(f"Discard the dead letter of {wanted.visit}?"):
        return 1
    letter = await dead_letters.discard(desk.operator, wanted.visit, wanted.reason)
    desk.show(letter, f"Discarded. The visit {letter.visit_id} itself stays as it is.")
    return 0


def _nothing() -> BulkSummary:
    return BulkSummary(
        chosen=0, retried=0, refused=0, failed=0, left=0, codes={}, took_seconds=0, items=()
    )
