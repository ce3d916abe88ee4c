"""The commands about dead letters: list, retry many, discard."""

import argparse

from infra.ops.desk import Desk
from infra.ops.tables import lasting, limited, of_bulk, of_discarded, of_letters
from lumimd.domain.dead_letter import DeadLetter, LetterState
from lumimd.domain.errors import RETRYABLE
from lumimd.domain.plurals import counted
from lumimd.domain.visit import Stage
from lumimd.operations import dead_letters
from lumimd.operations.audit import note_reading
from lumimd.operations.bulk_retry import BulkItem, BulkSummary, bulk_retry, choose
from lumimd.ports.operator_store import LetterFilter


def _filter(desk: Desk, wanted: argparse.Namespace, state: LetterState) -> LetterFilter:
    since = desk.operator.services.clock.now() - wanted.since if wanted.since else None
    stage = Stage(wanted.stage) if wanted.stage else None
    return LetterFilter(stage, wanted.code, wanted.user, since, state)


async def list_letters(desk: Desk, wanted: argparse.Namespace) -> int:
    """The visits that failed, with what is known of the reason."""
    state = LetterState.DISCARDED if wanted.discarded else LetterState.OPEN
    await note_reading(desk.operator, "list_dead_letters", wanted.user or str(state))
    found = await choose(desk.operator, _filter(desk, wanted, state), wanted.limit)
    now = desk.operator.services.clock.now()
    table = of_discarded(found) if wanted.discarded else of_letters(found, now)
    desk.show({"deadLetters": found}, table)
    if not desk.as_json and len(found) == wanted.limit:
        desk.say(limited(wanted.limit))
    return 0


async def retry_many(desk: Desk, wanted: argparse.Namespace) -> int:
    """At a steady pace, with a bar; some that failed make the exit code 1."""
    chosen = await choose(desk.operator, _filter(desk, wanted, LetterState.OPEN), wanted.limit)
    if not chosen:
        desk.show(_nothing(), "No open dead letter matches.")
        return 0
    hopeless = sum(letter.code not in RETRYABLE for letter in chosen)
    if hopeless:
        desk.say(f"{hopeless} of {len(chosen)} will be refused: the recording is the trouble.")
    took = lasting(len(chosen) / wanted.per_minute * 60)
    visits = counted(len(chosen), "visit")
    if not desk.confirm(f"Retry {visits}, {wanted.per_minute:g} a minute (about {took})?"):
        return 1
    summary = await _with_bar(desk, chosen, wanted.per_minute)
    desk.show(summary, of_bulk(summary))
    return 0 if summary.retried == summary.chosen else 1


async def _with_bar(desk: Desk, chosen: list[DeadLetter], per_minute: float) -> BulkSummary:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("Retrying"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=desk.told, disable=desk.as_json) as progress:
        bar = progress.add_task("", total=len(chosen))

        def on_item(_: BulkItem) -> None:
            progress.update(bar, advance=1)

        return await bulk_retry(desk.operator, chosen, per_minute=per_minute, on_item=on_item)


async def discard(desk: Desk, wanted: argparse.Namespace) -> int:
    """The dead letter needs no more attention; the visit stays as it is."""
    if not desk.confirm(f"Discard the dead letter of {wanted.visit}?"):
        return 1
    letter = await dead_letters.discard(desk.operator, wanted.visit, wanted.reason)
    desk.show(letter, f"Discarded. The visit {letter.visit_id} itself stays as it is.")
    return 0


def _nothing() -> BulkSummary:
    return BulkSummary(
        chosen=0, retried=0, refused=0, failed=0, left=0, codes={}, took_seconds=0, items=()
    )
