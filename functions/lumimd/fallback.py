"""The summary when the model has none: wait, show one made by rules, and keep it in the end.

| the model                     | the visit                                                        |
|-------------------------------|------------------------------------------------------------------|
| is known to be down           | is held; no try is used up                                       |
| fails                         | is put aside, for up to three tries                              |
| has been away for a while     | shows a provisional summary by rules, and goes on waiting        |
| fails at the last try, or is  | is completed: the rules write the summary, for good; its owner   |
| still away a day later        | may have the model asked again                                   |
| refuses this transcript, or   | is completed in the same way, at once                            |
| answers badly twice           |                                                                  |
| refuses the deployment        | as while it is down, and no time is used up (`deployment.py`)    |

A summary by the model that an earlier attempt made of the same transcript stays; one from before
another file was transcribed (`kept` says so) is replaced. A visit ends as `partial` only where the
rules have nothing to say.
"""

from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from lumimd import events as e
from lumimd import logs
from lumimd.action_items import action_items
from lumimd.analysis import ANALYSES
from lumimd.analysis.visit_summary import Bill
from lumimd.claims import still_held
from lumimd.clinical import VisitSummary
from lumimd.commit import Stored
from lumimd.deployment import is_fault, since_fault
from lumimd.errors import ErrorCode, Held, Permanent, Transient
from lumimd.ledger import NOTHING, Settlement
from lumimd.parts import Parts
from lumimd.recording import record
from lumimd.records import Action, ProcessingStatus, Stage, Visit
from lumimd.resilience.backoff import MAX_TRIES, put_aside
from lumimd.transcript import Transcript

PROVISIONAL_AFTER: Final = timedelta(minutes=10)
"""How long people wait for the model before they are shown what rules can tell."""

GIVE_UP_AFTER: Final = timedelta(days=1)

RELEASE_OVER: Final = timedelta(minutes=2)
"""Held visits come back spread over this time, not all at the moment the dependency is back."""


LONGEST_HOLD: Final = timedelta(minutes=8)
"""Upper bound of the pause of a held visit, in outages of hours: `held_until`."""


LONGEST_HOLD_FOR_FAULT: Final = timedelta(minutes=15)
"""Upper bound of the pause of a visit held for a fault of the deployment, of any duration."""


def held_until(visit: Visit, error: Held, now: datetime) -> datetime:
    """Next check of a held visit: exponential backoff (pause = time held so far) plus jitter.

    So it looks a few times in the first minutes, and every `LONGEST_HOLD` in an outage of hours;
    ever more rarely in one of days.
    """
    digest = sha256(f"{visit.visit_id}/{visit.attempt}".encode()).digest()
    share = int.from_bytes(digest[:4]) / 2**32
    began_at = visit.held_since or now
    held_for = now - (began_at if is_fault(error) else since_fault(visit, began_at))
    pause = max(min(held_for, LONGEST_HOLD), held_for / 16)
    if is_fault(error):
        pause = min(pause, LONGEST_HOLD_FOR_FAULT)
    pause = max(pause, timedelta(seconds=error.retry_after_s or 0))
    return now + pause + share * RELEASE_OVER


async def known_down(parts: Parts, visit: Visit, stage: Stage) -> Held | None:
    """Whether the last try of the visit failed because of the dependency, and not of the visit.

    The benefit of the doubt is given once: a visit that was held already has had its chance.
    """
    if visit.held_since is not None:
        return None
    since = visit.trouble.first_at if visit.trouble else parts.clock.now()
    return await parts.refusal(stage, unanswered_since=since)


def lacks_provisional(visit: Visit, now: datetime) -> bool:
    """Whether people have waited long enough to be shown what rules can tell.

    Under legal hold nothing provisional is shown: it could not be replaced.
    """
    if visit.legal_hold:
        return False
    return visit.source is None and now - _transcribed_at(visit) >= PROVISIONAL_AFTER


async def go_on_without_model(
    parts: Parts, claimed: Stored, error: Transient, paid: Settlement = NOTHING
) -> None:
    """Decide what becomes of a claimed visit whose summary could not be made now.

    `paid` is what became of the calls of this try.

    Raises:
        Transient: the store is not available.
    """
    visit, now = claimed.visit, parts.clock.now()
    if not isinstance(error, Held) and visit.stage_tries >= MAX_TRIES:
        down = await known_down(parts, visit, Stage.SUMMARY)
        if down is not None:  # but whoever was asked for patience stays patient
            wait_s = max(down.retry_after_s or 0.0, error.retry_after_s or 0.0)
            error = down
            error.retry_after_s = wait_s
    held = isinstance(error, Held)
    is_last_try = not held and visit.stage_tries >= MAX_TRIES
    waited_too_long = now - _wanted_since(visit) >= GIVE_UP_AFTER and not is_fault(error)
    if is_last_try or waited_too_long:
        await end_without_model(parts, claimed, ErrorCode.SUMMARY_UNAVAILABLE, paid)
        return
    until = (
        held_until(visit, error, now)
        if isinstance(error, Held)
        else now + put_aside(visit.stage_tries, error.retry_after_s)
    )
    wanted = still_held(claimed)
    if lacks_provisional(visit, now):
        by_rules = await _by_rules(parts, visit)
        if by_rules is not None:
            summary, _ = by_rules
            source = parts.fallback.source
            provisional = e.ProvisionalSummaryStored(
                visit.attempt,
                until,
                source,
                summary,
                used_a_try=not held,
                paid=paid,
                for_fault=is_fault(error),
            )
            await record(parts, claimed, provisional, still_wanted=wanted)
            return
    waits = (
        e.SummaryHeld(visit.attempt, until, paid=paid, for_fault=is_fault(error))
        if held
        else e.SummaryDeferred(visit.attempt, until, error.code, paid=paid)
    )
    await record(parts, claimed, waits, still_wanted=wanted)


async def end_without_model(
    parts: Parts, claimed: Stored, code: ErrorCode, paid: Settlement = NOTHING
) -> None:
    """End a claimed visit of which the model has no summary: the rules write it, for good.

    `code` is why; the owner is told where the rules have nothing to say, or where the summary that
    was to be replaced stays.

    Raises:
        Transient: the store is not available.
    """
    visit = claimed.visit
    has_one = visit.source == "model" and visit.kept is not ProcessingStatus.SUMMARIZING
    by_rules = None if has_one else await _by_rules(parts, visit)
    event: e.Event = e.SummaryFailed(visit.attempt, code, paid=paid)
    actions: tuple[Action, ...] | None = None
    if by_rules is not None:
        logs.event("rules_wrote_the_summary", "warning", code=code)
        summary, transcript = by_rules
        actions = action_items(visit, summary, transcript, parts.clock.now())
        event = e.SummaryStored(visit.attempt, parts.fallback.source, summary, paid=paid)
    await record(parts, claimed, event, actions=actions, still_wanted=still_held(claimed))


async def _by_rules(parts: Parts, visit: Visit) -> tuple[VisitSummary, Transcript] | None:
    """A summary by rules and its transcript, or None where the rules find nothing to say."""
    transcript = Transcript(utterances=await parts.store.transcript(visit.visit_id))
    try:
        return await ANALYSES[visit.kind](transcript, parts.fallback, Bill()), transcript
    except Permanent as error:
        logs.failure("rules_have_nothing_to_say", error)
        return None


def _wanted_since(visit: Visit) -> datetime:
    """When the summary could first be made in this attempt; the transcript may be days old."""
    began_at = visit.timings.processing_started_at if visit.timings else visit.created_at
    return since_fault(visit, max(_transcribed_at(visit), began_at))


def _transcribed_at(visit: Visit) -> datetime:
    assert visit.transcription is not None
    assert visit.transcription.completed_at is not None
    return visit.transcription.completed_at
