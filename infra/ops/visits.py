"""The commands about visits: list, show, retry, rerun, delete."""

import argparse
from collections.abc import Sequence

from infra.ops.advice import rerun_advice, steps_after
from infra.ops.desk import Desk
from infra.ops.drawing import drawn
from infra.ops.tables import limited, of_visits
from lumimd.domain.errors import RefusalCode, Refused
from lumimd.domain.plurals import counted, times
from lumimd.domain.visit import ProcessingStatus, Visit
from lumimd.domain.visit_line import VisitLine
from lumimd.operations import dead_letters, legal_hold, priority
from lumimd.operations.after_restore import after_restore
from lumimd.operations.audit import audited, note_reading, standing
from lumimd.operations.rerun import From, rerun
from lumimd.operations.timeline import timeline
from lumimd.pipeline import commands
from lumimd.ports.operator_store import VisitFilter


async def list_visits(desk: Desk, wanted: argparse.Namespace) -> int:
    """Where the visits stand. No title and no word of a visit is read for it."""
    services = desk.operator.services
    await note_reading(desk.operator, "list_visits", wanted.user or _group(wanted))
    found: Sequence[VisitLine]
    if wanted.stuck:
        found = await services.operators.stuck(services.clock.now(), wanted.limit)
    elif wanted.high_retry:
        found = await services.operators.much_retried(wanted.high_retry, wanted.limit)
    else:
        status = ProcessingStatus.FAILED if wanted.failed else None
        found = await services.operators.visits(VisitFilter(status, wanted.user), wanted.limit)
    if wanted.user:
        found = [visit for visit in found if visit.user_id == wanted.user]
    desk.show({"visits": found}, of_visits(found, services.clock.now()))
    if not desk.as_json and len(found) == wanted.limit:
        desk.say(limited(wanted.limit))
    return 0


async def show(desk: Desk, wanted: argparse.Namespace) -> int:
    """The timeline of a visit; the reading is on record before it is shown."""
    services = desk.operator.services
    await note_reading(desk.operator, "read_timeline", wanted.visit)
    stored = await services.store.get(wanted.visit)
    if stored is None:
        raise Refused(RefusalCode.VISIT_NOT_FOUND)
    history = await services.store.history(wanted.visit)
    found = timeline(VisitLine.of(stored.visit), history, services.clock.now())
    advice = [] if desk.as_json else await steps_after(desk, stored.visit)
    desk.show(found, *drawn(found, services.clock.now()), *advice)
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
    return _told(desk, visit, "It is being processed again")


async def _say_why(desk: Desk, visit_id: str) -> None:
    stored = await desk.operator.services.store.get(visit_id)
    error = stored.visit.processing_error if stored else None
    if stored is not None and error is not None and not error.retryable:
        desk.say(f"{error.code} does not go away by trying the same recording again.")
        for line in await rerun_advice(desk, stored.visit):
            desk.say(line)


async def run_again(desk: Desk, wanted: argparse.Namespace) -> int:
    """From the submission: everything anew, and paid for again; from the summary: only that."""
    begin = From(wanted.begin)
    paid = "transcription" if begin is From.SUBMISSION else "summary"
    if not desk.confirm(
        f"Run {wanted.visit} again from its {begin}? A {paid} that is there is paid for again."
    ):
        return 1
    visit = await rerun(desk.operator, wanted.visit, begin)
    return _told(desk, visit, f"It is being processed again from its {begin}")


async def hold(desk: Desk, wanted: argparse.Namespace) -> int:
    """Nothing of a held visit changes or goes, and neither do its recordings."""
    question = (
        "Protect {} and its recordings from every change and deletion?"
        if wanted.held
        else "Let {} be changed and deleted again?"
    )
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
    services = desk.operator.services
    if not desk.confirm(f"Delete everything of {wanted.visit}, for good?"):
        return 1
    stored = await services.store.get(wanted.visit)
    before = standing(stored.visit if stored else None)
    async with audited(desk.operator, "delete", wanted.visit, before=before):
        receipt = await commands.delete(services, wanted.visit)
    desk.show(receipt, f"Deleted {wanted.visit}.")
    return 0


async def repeat(desk: Desk, wanted: argparse.Namespace) -> int:
    """What was deleted since the backup goes again, and what was held is held again."""
    if not desk.confirm("Delete again what was deleted since, and hold again what was held?"):
        return 1
    since = desk.operator.services.clock.now() - wanted.since
    found = await after_restore(desk.operator, since)
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
    desk.show(found, *lines)
    return 1 if found.held_deleted or found.missed else 0


def _told(desk: Desk, visit: Visit, sentence: str) -> int:
    line = VisitLine.of(visit)
    standing_at = f"attempt {line.attempt}, {line.processing_status}"
    follow = f"  {desk.command('show', line.visit_id)}"
    desk.show(line, f"{sentence}: {standing_at}. Follow it:", follow)
    return 0


def _group(wanted: argparse.Namespace) -> str:
    if wanted.high_retry:
        return f"retried {times(wanted.high_retry)} or more"
    return "stuck" if wanted.stuck else "failed" if wanted.failed else "all"
