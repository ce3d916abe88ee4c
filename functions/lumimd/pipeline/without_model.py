"""Summaries while the model is down: wait, show a rule-based one, keep it after a day.

| the model                     | the visit                                                        |
|-------------------------------|------------------------------------------------------------------|
| breaker open                  | waits for the model; no try is used up                           |
| fails                         | tries again later, up to three times                             |
| down for a while              | shows a provisional rule-based summary, and waits on             |
| fails at the last try, or is  | is completed with a rule-based summary; its owner                |
| still down a day later        | may request one by the model again                               |
| refuses this transcript, or   | is completed in the same way, at once                            |
| answers badly twice           |                                                                  |
| refuses account/configuration | waits without limit (`policies/deployment_faults.py`)            |

A summary by the model that an earlier attempt made of the same transcript stays; one from before
another file was transcribed (`kept` says so) is replaced. A visit ends as `partial` only where the
rules find nothing.
"""

from lumimd.domain import events as e
from lumimd.domain.action_items import action_items
from lumimd.domain.clinical import VisitSummary
from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Stored
from lumimd.domain.errors import Held, Permanent, Transient
from lumimd.domain.ledger import NOTHING, Settlement
from lumimd.domain.timing import MAX_TRIES
from lumimd.domain.transcript import Transcript
from lumimd.domain.visit import ProcessingStatus, Stage, Visit
from lumimd.pipeline.analysis import ANALYSES
from lumimd.pipeline.analysis.visit_summary import Bill
from lumimd.pipeline.lease import still_held
from lumimd.pipeline.save import Decision
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


async def go_on_without_model(
    services: Services, leased: Stored, error: Transient, paid: Settlement = NOTHING
) -> Decision:
    """Decide how a leased visit continues after its summary could not be made now.

    `paid` is what the calls of this try cost.

    Raises:
        Transient: the store is not available.
    """
    visit, now = leased.visit, services.clock.now()
    if not isinstance(error, Held) and visit.stage_tries >= MAX_TRIES:
        error = await _with_known_outage(services, visit, error)
    held = isinstance(error, Held)
    is_last_try = not held and visit.stage_tries >= MAX_TRIES
    waited_too_long = now - wanted_since(visit) >= GIVE_UP_AFTER and not is_fault(error)
    if is_last_try or waited_too_long:
        return await end_without_model(services, leased, ErrorCode.SUMMARY_UNAVAILABLE, paid)
    until = (
        held_until(visit, error, now)
        if isinstance(error, Held)
        else now + put_aside(visit.stage_tries, error.retry_after_s)
    )
    event: e.Event = (
        e.SummaryHeld(visit.attempt, until, paid=paid, for_fault=is_fault(error))
        if held
        else e.SummaryDeferred(visit.attempt, until, error.code, paid=paid)
    )
    by_rules = await _by_rules(services, visit) if lacks_provisional(visit, now) else None
    if by_rules is not None:
        event = e.ProvisionalSummaryStored(
            visit.attempt,
            until,
            services.fallback.source,
            by_rules[0],
            used_a_try=not held,
            paid=paid,
            for_fault=is_fault(error),
        )
    return Decision(event, still_wanted=still_held(leased))


async def end_without_model(
    services: Services, leased: Stored, code: ErrorCode, paid: Settlement = NOTHING
) -> Decision:
    """End a leased visit with a rule-based summary, which is final.

    The owner sees `code` where the rules find nothing, or where the model's earlier summary stays.

    Raises:
        Transient: the store is not available.
    """
    visit = leased.visit
    has_one = visit.source == "model" and visit.kept is not ProcessingStatus.SUMMARIZING
    by_rules = None if has_one else await _by_rules(services, visit)
    if by_rules is None:
        failed = e.SummaryFailed(visit.attempt, code, paid=paid)
        return Decision(failed, still_wanted=still_held(leased))
    logs.event("rules_wrote_the_summary", "warning", code=code)
    summary, transcript = by_rules
    actions = action_items(visit, summary, transcript, services.clock.now())
    stored = e.SummaryStored(visit.attempt, services.fallback.source, summary, paid=paid)
    return Decision(stored, actions=actions, still_wanted=still_held(leased))


async def known_down(services: Services, visit: Visit, stage: Stage) -> Held | None:
    """Return the circuit breaker's refusal if an outage explains the visit's last failure.

    An outage is assumed only once: after waiting for the provider, a visit gets another try.
    """
    if visit.held_since is not None:
        return None
    since = visit.trouble.first_at if visit.trouble else services.clock.now()
    return await services.refusal(stage, unanswered_since=since)


async def _with_known_outage(services: Services, visit: Visit, error: Transient) -> Transient:
    """Replace `error` by the refusal of an open breaker, with the longer Retry-After."""
    down = await known_down(services, visit, Stage.SUMMARY)
    if down is None:
        return error
    down.retry_after_s = max(down.retry_after_s or 0.0, error.retry_after_s or 0.0)
    return down


async def _by_rules(services: Services, visit: Visit) -> tuple[VisitSummary, Transcript] | None:
    """Return a rule-based summary and its transcript, or None where the rules find nothing."""
    transcript = Transcript(utterances=await services.store.transcript(visit.visit_id))
    try:
        return await ANALYSES[visit.kind](transcript, services.fallback, Bill()), transcript
    except Permanent as error:
        logs.failure("rules_have_nothing_to_say", error)
        return None
