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

from lumimd.domain import events as e
from lumimd.domain.action_items import action_items
from lumimd.domain.clinical import VisitSummary
from lumimd.domain.commit import Stored
from lumimd.domain.errors import ErrorCode, Held, Permanent, Transient
from lumimd.domain.ledger import NOTHING, Settlement
from lumimd.domain.timing import MAX_TRIES
from lumimd.domain.transcript import Transcript
from lumimd.domain.visit import Action, ProcessingStatus, Stage, Visit
from lumimd.pipeline.analysis import ANALYSES
from lumimd.pipeline.analysis.visit_summary import Bill
from lumimd.pipeline.lease import still_held
from lumimd.pipeline.save import save_event
from lumimd.pipeline.services import Services
from lumimd.policies.deployment_faults import is_fault
from lumimd.policies.waiting import (
    GIVE_UP_AFTER,
    held_until,
    lacks_provisional,
    put_aside,
    wanted_since,
)
from lumimd.telemetry import logs


async def known_down(services: Services, visit: Visit, stage: Stage) -> Held | None:
    """Whether the last try of the visit failed because of the dependency, and not of the visit.

    The benefit of the doubt is given once: a visit that was held already has had its chance.
    """
    if visit.held_since is not None:
        return None
    since = visit.trouble.first_at if visit.trouble else services.clock.now()
    return await services.refusal(stage, unanswered_since=since)


async def go_on_without_model(
    services: Services, leased: Stored, error: Transient, paid: Settlement = NOTHING
) -> None:
    """Decide what becomes of a claimed visit whose summary could not be made now.

    `paid` is what became of the calls of this try.

    Raises:
        Transient: the store is not available.
    """
    visit, now = leased.visit, services.clock.now()
    if not isinstance(error, Held) and visit.stage_tries >= MAX_TRIES:
        down = await known_down(services, visit, Stage.SUMMARY)
        if down is not None:  # but whoever was asked for patience stays patient
            wait_s = max(down.retry_after_s or 0.0, error.retry_after_s or 0.0)
            error = down
            error.retry_after_s = wait_s
    held = isinstance(error, Held)
    is_last_try = not held and visit.stage_tries >= MAX_TRIES
    waited_too_long = now - wanted_since(visit) >= GIVE_UP_AFTER and not is_fault(error)
    if is_last_try or waited_too_long:
        await end_without_model(services, leased, ErrorCode.SUMMARY_UNAVAILABLE, paid)
        return
    until = (
        held_until(visit, error, now)
        if isinstance(error, Held)
        else now + put_aside(visit.stage_tries, error.retry_after_s)
    )
    wanted = still_held(leased)
    if lacks_provisional(visit, now):
        by_rules = await _by_rules(services, visit)
        if by_rules is not None:
            summary, _ = by_rules
            source = services.fallback.source
            provisional = e.ProvisionalSummaryStored(
                visit.attempt,
                until,
                source,
                summary,
                used_a_try=not held,
                paid=paid,
                for_fault=is_fault(error),
            )
            await save_event(services, leased, provisional, still_wanted=wanted)
            return
    waits = (
        e.SummaryHeld(visit.attempt, until, paid=paid, for_fault=is_fault(error))
        if held
        else e.SummaryDeferred(visit.attempt, until, error.code, paid=paid)
    )
    await save_event(services, leased, waits, still_wanted=wanted)


async def end_without_model(
    services: Services, leased: Stored, code: ErrorCode, paid: Settlement = NOTHING
) -> None:
    """End a claimed visit of which the model has no summary: the rules write it, for good.

    `code` is why; the owner is told where the rules have nothing to say, or where the summary that
    was to be replaced stays.

    Raises:
        Transient: the store is not available.
    """
    visit = leased.visit
    has_one = visit.source == "model" and visit.kept is not ProcessingStatus.SUMMARIZING
    by_rules = None if has_one else await _by_rules(services, visit)
    event: e.Event = e.SummaryFailed(visit.attempt, code, paid=paid)
    actions: tuple[Action, ...] | None = None
    if by_rules is not None:
        logs.event("rules_wrote_the_summary", "warning", code=code)
        summary, transcript = by_rules
        actions = action_items(visit, summary, transcript, services.clock.now())
        event = e.SummaryStored(visit.attempt, services.fallback.source, summary, paid=paid)
    await save_event(services, leased, event, actions=actions, still_wanted=still_held(leased))


async def _by_rules(services: Services, visit: Visit) -> tuple[VisitSummary, Transcript] | None:
    """A summary by rules and its transcript, or None where the rules find nothing to say."""
    transcript = Transcript(utterances=await services.store.transcript(visit.visit_id))
    try:
        return await ANALYSES[visit.kind](transcript, services.fallback, Bill()), transcript
    except Permanent as error:
        logs.failure("rules_have_nothing_to_say", error)
        return None
