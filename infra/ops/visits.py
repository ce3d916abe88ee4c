"""The commands for visits: list, show, retry, rerun, hold, prioritize and delete."""

import argparse
from collections.abc import Sequence

from infra.ops.advice import rerun_advice, steps_after
from infra.ops.drawing import draw_timeline
from infra.ops.session import Session
from infra.ops.tables import limited, of_visits
from lumimd.domain.codes import RefusalCode
from lumimd.domain.errors import Refused
from lumimd.domain.plurals import counted, times
from lumimd.domain.visit import ProcessingStatus, Visit, VisitLine
from lumimd.operations import dead_letters, legal_hold, priority
from lumimd.operations.after_restore import after_restore
from lumimd.operations.audit import audited, note_reading, standing
from lumimd.operations.rerun import From, rerun
from lumimd.operations.timeline import timeline
from lumimd.pipeline import commands
from lumimd.stores.operator_store import VisitFilter


async def list_visits(session: Session, args: argparse.Namespace) -> None:
    """List visits with their status. The query reads neither titles nor texts of visits."""
    services = session.operator.services
    await note_reading(session.operator, "list_visits", args.user or _filter_name(args))
    found: Sequence[VisitLine]
    if args.stuck:
        found = await services.operators.stuck(services.clock.now(), args.limit)
    elif args.high_retry:
        found = await services.operators.much_retried(args.high_retry, args.limit)
    else:
        status = ProcessingStatus.FAILED if args.failed else None
        found = await services.operators.visits(VisitFilter(status, args.user), args.limit)
    if args.user:
        found = [visit for visit in found if visit.user_id == args.user]
    session.show({"visits": found}, of_visits(found, services.clock.now()))
    if not session.as_json and len(found) == args.limit:
        session.notify(limited(args.limit))


async def show(session: Session, args: argparse.Namespace) -> None:
    """Note the access in the audit log, then show the timeline of a visit."""
    services = session.operator.services
    await note_reading(session.operator, "read_timeline", args.visit)
    stored = await services.store.get(args.visit)
    if stored is None:
        raise Refused(RefusalCode.VISIT_NOT_FOUND)
    history = await services.store.history(args.visit)
    found = timeline(VisitLine.of(stored.visit), history, services.clock.now())
    advice = [] if session.as_json else await steps_after(session, stored.visit)
    session.show(found, *draw_timeline(found, services.clock.now()), *advice)


async def retry(session: Session, args: argparse.Namespace) -> None:
    """Start another attempt at the failed stage; a stored transcript is not paid for again."""
    session.confirm(f"Retry {args.visit}?")
    try:
        visit = await dead_letters.retry(session.operator, args.visit)
    except Refused as refusal:
        if refusal.code is RefusalCode.NOTHING_TO_RETRY:
            await _explain_refusal(session, args.visit)
        raise
    _show_result(session, visit, "It is being processed again")


async def _explain_refusal(session: Session, visit_id: str) -> None:
    stored = await session.operator.services.store.get(visit_id)
    error = stored.visit.processing_error if stored else None
    if stored is not None and error is not None and not error.retryable:
        session.notify(f"{error.code} does not go away by trying the same recording again.")
        for line in await rerun_advice(session, stored.visit):
            session.notify(line)


async def run_again(session: Session, args: argparse.Namespace) -> None:
    """Rerun all stages from the submission, or only the summary; a rerun is paid for again."""
    begin = From(args.begin)
    paid = "transcription" if begin is From.SUBMISSION else "summary"
    session.confirm(
        f"Run {args.visit} again from its {begin}? A {paid} that is there is paid for again."
    )
    visit = await rerun(session.operator, args.visit, begin)
    _show_result(session, visit, f"It is being processed again from its {begin}")


async def hold(session: Session, args: argparse.Namespace) -> None:
    """Set or release a legal hold, which protects a visit and its recordings from every change."""
    question = (
        "Protect {} and its recordings from every change and deletion?"
        if args.held
        else "Let {} be changed and deleted again?"
    )
    session.confirm(question.format(args.visit))
    change = legal_hold.hold if args.held else legal_hold.release
    visit = await change(session.operator, args.visit, reason=args.reason)
    line = VisitLine.of(visit)
    session.show(line, f"{line.visit_id} is {'held' if line.legal_hold else 'not held any more'}.")


async def prioritize(session: Session, args: argparse.Namespace) -> None:
    """Make a visit urgent or ordinary again: urgent visits are admitted first.

    While urgent and live visits wait, live visits get 4 of 20 permits.
    """
    question = "Make {} ordinary again?" if args.off else "Let {} overtake the others in line?"
    session.confirm(question.format(args.visit))
    visit = await priority.prioritize(session.operator, args.visit, urgent=not args.off)
    _show_result(session, visit, f"It is {'urgent' if visit.urgent else 'ordinary'} now")


async def delete(session: Session, args: argparse.Namespace) -> None:
    """Delete a visit from every store; the deletion receipt counts the deleted items."""
    services = session.operator.services
    session.confirm(f"Delete everything of {args.visit}, for good?")
    stored = await services.store.get(args.visit)
    before = standing(stored.visit if stored else None)
    async with audited(session.operator, "delete", args.visit, before=before):
        receipt = await commands.delete(services, args.visit)
    session.show(receipt, f"Deleted {args.visit}.")


async def repeat(session: Session, args: argparse.Namespace) -> int:
    """Repeat the deletions and the legal holds that a restored backup has undone."""
    session.confirm("Delete again what was deleted since, and hold again what was held?")
    since = session.operator.services.clock.now() - args.since
    found = await after_restore(session.operator, since)
    lines = [
        f"{counted(len(found.deleted), 'visit')} deleted again, {len(found.swept)} swept again, "
        f"{len(found.held)} held again."
    ]
    lines += [
        f"{visit_id} was deleted, and is under legal hold as restored: release and delete it, "
        "or keep it."
        for visit_id in found.held_deleted
    ]
    lines += [
        f"{visit_id} could not be read or changed now: repeat this." for visit_id in found.missed
    ]
    session.show(found, *lines)
    return 1 if found.held_deleted or found.missed else 0


def _show_result(session: Session, visit: Visit, message: str) -> None:
    line = VisitLine.of(visit)
    standing_at = f"attempt {line.attempt}, {line.processing_status}"
    follow = f"  {session.command('show', line.visit_id)}"
    session.show(line, f"{message}: {standing_at}. Follow it:", follow)


def _filter_name(args: argparse.Namespace) -> str:
    if args.high_retry:
        return f"retried {times(args.high_retry)} or more"
    return "stuck" if args.stuck else "failed" if args.failed else "all"
