"""The commands for dead letters: list them, retry many of them, discard one."""

import argparse

from infra.ops.session import Session
from infra.ops.tables import lasting, limited, of_bulk, of_discarded, of_letters
from lumimd.domain.dead_letter import DeadLetter, LetterState
from lumimd.domain.plurals import counted
from lumimd.domain.visit import Stage
from lumimd.operations import dead_letters
from lumimd.operations.audit import note_reading
from lumimd.operations.bulk_retry import BulkItem, BulkSummary, bulk_retry, choose, summary_of
from lumimd.stores.operator_store import LetterFilter


def _filter(session: Session, args: argparse.Namespace, state: LetterState) -> LetterFilter:
    since = session.operator.services.clock.now() - args.since if args.since else None
    stage = Stage(args.stage) if args.stage else None
    return LetterFilter(stage, args.code, args.user, since, state)


async def list_letters(session: Session, args: argparse.Namespace) -> None:
    """List the failed visits, each with the reason for its failure."""
    state = LetterState.DISCARDED if args.discarded else LetterState.OPEN
    await note_reading(session.operator, "list_dead_letters", args.user or str(state))
    found = await choose(session.operator, _filter(session, args, state), args.limit)
    now = session.operator.services.clock.now()
    table = of_discarded(found) if args.discarded else of_letters(found, now)
    session.show({"deadLetters": found}, table)
    if not session.as_json and len(found) == args.limit:
        session.notify(limited(args.limit))


async def retry_many(session: Session, args: argparse.Namespace) -> int:
    """Retry dead letters at a steady rate, with a progress bar; return 1 if any was not retried."""
    chosen = await choose(session.operator, _filter(session, args, LetterState.OPEN), args.limit)
    if not chosen:
        session.show(summary_of([], [], 0), "No open dead letter matches.")
        return 0
    hopeless = sum(not letter.code.retryable for letter in chosen)
    if hopeless:
        session.notify(
            f"{hopeless} of {len(chosen)} will be refused: the recording is the trouble."
        )
    took = lasting(len(chosen) / args.per_minute * 60)
    visits = counted(len(chosen), "visit")
    session.confirm(f"Retry {visits}, {args.per_minute:g} a minute (about {took})?")
    summary = await _with_bar(session, chosen, args.per_minute)
    session.show(summary, of_bulk(summary))
    return 0 if summary.retried == summary.chosen else 1


async def _with_bar(session: Session, chosen: list[DeadLetter], per_minute: float) -> BulkSummary:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("Retrying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=session.err, disable=session.as_json) as progress:
        bar = progress.add_task("", total=len(chosen))

        def on_item(_: BulkItem) -> None:
            progress.update(bar, advance=1)

        return await bulk_retry(session.operator, chosen, per_minute=per_minute, on_item=on_item)


async def discard(session: Session, args: argparse.Namespace) -> None:
    """Discard a dead letter; its visit does not change."""
    session.confirm(f"Discard the dead letter of {args.visit}?")
    letter = await dead_letters.discard(session.operator, args.visit, args.reason)
    session.show(letter, f"Discarded. The visit {letter.visit_id} itself stays as it is.")
