"""The commands about visits: list, show, retry, rerun, delete."""

import argparse
from collections.abc import Sequence
from typing import Any

from infra.ops import asked
from infra.ops.desk import Desk
from infra.ops.drawing import drawn
from infra.ops.tables import of_visits
from lumimd import commands
from lumimd.errors import RefusalCode, Refused
from lumimd.operations import dead_letters, legal_hold, priority
from lumimd.operations.audit import audited, note_reading, standing
from lumimd.operations.lines import VisitLine
from lumimd.operations.operator_store import VisitFilter
from lumimd.operations.rerun import From, rerun
from lumimd.operations.timeline import timeline
from lumimd.records import ProcessingStatus, Visit


def add_commands(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the commands of this module."""
    listed = commands.add_parser("visits", parents=[common], help="list visits, newest first")
    which = listed.add_mutually_exclusive_group()
    which.add_argument("--stuck", action="store_true", help="that ought to move and do not")
    which.add_argument("--failed", action="store_true", help="that failed, or have no summary")
    which.add_argument(
        "--high-retry", type=asked.count, metavar="N", help="retried N times or more"
    )
    listed.add_argument("--user", metavar="UID", help="of one user")
    listed.add_argument("--limit", type=asked.count, default=50, metavar="N", help="default: 50")
    listed.set_defaults(command=list_visits)

    shown = commands.add_parser("show", parents=[common], help="how a visit went, step by step")
    shown.add_argument("visit", metavar="VISIT")
    shown.set_defaults(command=show)

    again = commands.add_parser("retry", parents=[common], help="another attempt at a failed visit")
    again.add_argument("visit", metavar="VISIT")
    again.set_defaults(command=retry)

    anew = commands.add_parser("rerun", parents=[common], help="work on a visit again from a step")
    anew.add_argument("visit", metavar="VISIT")
    anew.add_argument("--from", dest="begin", type=From, choices=list(From), required=True)
    anew.set_defaults(command=run_again)

    for name, does in (
        ("hold", "protect a visit from every deletion"),
        ("release", "let a held visit be deleted again"),
    ):
        legal = commands.add_parser(name, parents=[common], help=does)
        legal.add_argument("visit", metavar="VISIT")
        legal.add_argument("--reason", type=asked.reason, required=True, metavar="TEXT")
        legal.set_defaults(command=hold, held=name == "hold")

    first = commands.add_parser(
        "urgent", parents=[common], help="let a visit overtake others in the line"
    )
    first.add_argument("visit", metavar="VISIT")
    first.add_argument("--off", action="store_true", help="end that")
    first.set_defaults(command=prioritize)

    gone = commands.add_parser("delete", parents=[common], help="delete a visit everywhere")
    gone.add_argument("visit", metavar="VISIT")
    gone.set_defaults(command=delete)


async def list_visits(desk: Desk, wanted: argparse.Namespace) -> int:
    """Who stands where. No title and no word of a visit is read for it."""
    parts = desk.operator.parts
    await note_reading(desk.operator, "list_visits", wanted.user or _group(wanted))
    found: Sequence[VisitLine]
    if wanted.stuck:
        found = await parts.operators.stuck(parts.clock.now(), wanted.limit)
    elif wanted.high_retry:
        found = await parts.operators.much_retried(wanted.high_retry, wanted.limit)
    else:
        status = ProcessingStatus.FAILED if wanted.failed else None
        found = await parts.operators.visits(VisitFilter(status, wanted.user), wanted.limit)
    if wanted.user:
        found = [visit for visit in found if visit.user_id == wanted.user]
    desk.show({"visits": found}, of_visits(found, parts.clock.now()))
    if not desk.as_json and len(found) == wanted.limit:
        desk.say(f"These are the first {wanted.limit}; --limit N shows more.")
    return 0


async def show(desk: Desk, wanted: argparse.Namespace) -> int:
    """The timeline of a visit; that somebody looked is on record before it is shown."""
    parts = desk.operator.parts
    await note_reading(desk.operator, "read_timeline", wanted.visit)
    stored = await parts.store.get(wanted.visit)
    if stored is None:
        raise Refused(RefusalCode.VISIT_NOT_FOUND)
    history = await parts.store.history(wanted.visit)
    found = timeline(VisitLine.of(stored.visit), history, parts.clock.now())
    desk.show(found, *drawn(found, parts.clock.now()))
    return 0


async def retry(desk: Desk, wanted: argparse.Namespace) -> int:
    """Another attempt from the stage that failed; what was transcribed is not transcribed again."""
    if not desk.confirm(f"Retry {wanted.visit}?"):
        return 1
    try:
        visit = await dead_letters.retry(desk.operator, wanted.visit)
    except Refused as refusal:
        if refusal.code is RefusalCode.NOTHING_TO_RETRY:
            await _say_why(desk, wanted.visit)
        raise
    return _told(desk, visit, "It is being worked on again")


async def _say_why(desk: Desk, visit_id: str) -> None:
    stored = await desk.operator.parts.store.get(visit_id)
    error = stored.visit.processing_error if stored else None
    if error is not None and not error.retryable:
        desk.say(f"{error.code} does not go away by trying the same recording again. If you know")
        desk.say(f"better: scripts/ops rerun {visit_id} --from submission")


async def run_again(desk: Desk, wanted: argparse.Namespace) -> int:
    """From the submission: everything anew, and paid for again; from the summary: only that."""
    cost = (
        "its transcription is paid for again"
        if wanted.begin is From.SUBMISSION
        else "its summary is paid for again"
    )
    if not desk.confirm(
        f"Run {wanted.visit} again from its {wanted.begin}? If all was well, {cost}."
    ):
        return 1
    visit = await rerun(desk.operator, wanted.visit, wanted.begin)
    return _told(desk, visit, f"It is being worked on again from its {wanted.begin}")


async def hold(desk: Desk, wanted: argparse.Namespace) -> int:
    """Nobody and nothing deletes a held visit."""
    question = "Protect {} from every deletion?" if wanted.held else "Let {} be deleted again?"
    if not desk.confirm(question.format(wanted.visit)):
        return 1
    become = legal_hold.hold if wanted.held else legal_hold.release
    visit = await become(desk.operator, wanted.visit, reason=wanted.reason)
    line = VisitLine.of(visit)
    desk.show(line, f"{line.visit_id} is {'held' if line.legal_hold else 'not held any more'}.")
    return 0


async def prioritize(desk: Desk, wanted: argparse.Namespace) -> int:
    """An urgent visit is called first; of 20 places, live visits still get four."""
    question = "Make {} ordinary again?" if wanted.off else "Let {} overtake the others in line?"
    if not desk.confirm(question.format(wanted.visit)):
        return 1
    visit = await priority.prioritize(desk.operator, wanted.visit, urgent=not wanted.off)
    return _told(desk, visit, f"It is {'urgent' if visit.urgent else 'ordinary'} now")


async def delete(desk: Desk, wanted: argparse.Namespace) -> int:
    """Everything of a visit, in every store; the receipt says how much that was."""
    parts = desk.operator.parts
    if not desk.confirm(f"Delete everything of {wanted.visit}, for good?"):
        return 1
    stored = await parts.store.get(wanted.visit)
    before = standing(stored.visit if stored else None)
    async with audited(desk.operator, "delete", wanted.visit, before=before):
        receipt = await commands.delete(parts, wanted.visit)
    desk.show(receipt, f"Deleted {wanted.visit}.")
    return 0


def _told(desk: Desk, visit: Visit, sentence: str) -> int:
    line = VisitLine.of(visit)
    standing_at = f"attempt {line.attempt}, {line.processing_status}"
    desk.show(line, f"{sentence}: {standing_at}. Follow it: show {line.visit_id}")
    return 0


def _group(wanted: argparse.Namespace) -> str:
    if wanted.high_retry:
        return f"retried {wanted.high_retry} times or more"
    return "stuck" if wanted.stuck else "failed" if wanted.failed else "all"
