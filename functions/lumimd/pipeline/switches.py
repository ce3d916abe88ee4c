"""Feature flags: what happens to a visit that a kill switch or a percentage rollout leaves out.

| switched off         | a visit                                                                 |
|----------------------|-------------------------------------------------------------------------|
| `processing`         | waits and looks every few minutes; nothing is paid, used up or expires  |
| `summaries_by_model` | waits as if the model was down: a provisional rule-based summary, which   |
|                      | is final after a day                                                    |

A visit whose user is outside of the percentage of `processing` waits as well. Outside of the
percentage of `summaries_by_model`, it gets a final rule-based summary. Jobs at the provider are
always collected, since the provider deletes old jobs.
"""

from datetime import datetime
from typing import Final

from lumimd.domain import events as e
from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Stored
from lumimd.domain.errors import Held
from lumimd.domain.visit import ProcessingStatus, Stage, Visit
from lumimd.pipeline.save import save_event
from lumimd.pipeline.services import Services
from lumimd.policies.flags import Switch, share
from lumimd.policies.waiting import RELEASE_OVER, SWITCH_CHECK
from lumimd.ports.summarizer import Summarizer
from lumimd.telemetry import logs

_HELD: Final = {
    ProcessingStatus.PENDING: e.SubmissionHeld,
    ProcessingStatus.SUMMARIZING: e.SummaryHeld,
}


async def held_by_switch(services: Services, visit: Visit) -> e.SubmissionHeld | None:
    """Return the event of a visit whose processing is switched off; None where it is on.

    A visit that is being transcribed never waits, because its job is paid for.
    """
    held = _HELD.get(visit.processing_status)
    flags = await services.flags.now()
    if held is None or flags.is_on_for(Switch.PROCESSING, visit.user_id):
        return None
    logs.event("switched_off", code=Switch.PROCESSING)
    return held(visit.attempt, _look_again_at(visit, services.clock.now()), had_lease=False)


async def waits_for_switch(services: Services, stored: Stored) -> bool:
    """Let the visit wait if processing is switched off; return whether it waits.

    A worker that has the lease may finish.

    Raises:
        Transient: the store is not available.
    """
    visit = stored.visit
    if visit.is_leased(services.clock.now()):
        return False
    held = await held_by_switch(services, visit)
    if held is None:
        return False
    await save_event(
        services, stored, held, still_wanted=lambda now: not now.is_leased(services.clock.now())
    )
    if visit.turn is not None:
        # The visit leaves the fair queue, and gives back its permit.
        await services.admission.left(visit.visit_id, visit.attempt)
    return True


async def summarizer_for(services: Services, visit: Visit) -> Summarizer:
    """Return the summarizer for the visit: the model or the rules.

    Raises:
        Held: the model is switched off.
    """
    flags = await services.flags.now()
    if flags.is_on_for(Switch.SUMMARIES_BY_MODEL, visit.user_id):
        return services.summarizer
    _refuse_if_off(services, flags.is_on(Switch.SUMMARIES_BY_MODEL))
    return services.fallback


async def refusal(services: Services, stage: Stage) -> Held | None:
    """Return the refusal of a call for the stage, by a switch or by the circuit breaker.

    Raises:
        Transient: the store is not available.
    """
    if stage is Stage.SUMMARY:
        flags = await services.flags.now()
        try:
            _refuse_if_off(services, flags.is_on(Switch.SUMMARIES_BY_MODEL))
        except Held as held:
            return held
    return await services.refusal(stage)


def _refuse_if_off(services: Services, is_on: bool) -> None:
    """Raise `Held` if the model is switched off; a deployment without a model is never refused."""
    if not is_on and services.summarizer.source == "model":
        raise Held(ErrorCode.SUMMARY_UNAVAILABLE)


def _look_again_at(visit: Visit, now: datetime) -> datetime:
    return now + SWITCH_CHECK + share("look again", visit.visit_id) * RELEASE_OVER
