"""Summarize a transcribed visit."""

from lumimd.domain import events as e
from lumimd.domain.action_items import action_items
from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Stored
from lumimd.domain.errors import Permanent, Transient, UnreadableDocument
from lumimd.domain.timing import MAX_TRIES
from lumimd.domain.transcript import Transcript
from lumimd.domain.visit import ProcessingStatus
from lumimd.pipeline.analysis import ANALYSES
from lumimd.pipeline.analysis.visit_summary import Bill
from lumimd.pipeline.lease import still_held, take_lease, within_lease
from lumimd.pipeline.save import Decision, save_decision
from lumimd.pipeline.services import Services
from lumimd.pipeline.switches import summarizer_for, waits_for_switch
from lumimd.pipeline.without_model import end_without_model, go_on_without_model
from lumimd.policies.waiting import held_until
from lumimd.telemetry import logs


async def summarize(services: Services, visit_id: str, attempt: int) -> None:
    """Make the summary of a transcribed visit and store it with its action items.

    A repeated task, a late task and a task that runs beside another one do nothing.

    Raises:
        Transient: the store is not available.
    """
    stored = await services.store.get(visit_id)
    if (
        stored is None
        or stored.visit.attempt != attempt
        or stored.visit.processing_status is not ProcessingStatus.SUMMARIZING
    ):
        logs.event("task_was_late")
        return
    with logs.about(trace=stored.visit.trace):
        if await waits_for_switch(services, stored):
            return
        leased = await take_lease(services, stored, e.SummaryClaimed)
        if leased is not None:
            await save_decision(services, leased, await _outcome(services, leased))


async def _outcome(services: Services, leased: Stored) -> Decision:
    visit = leased.visit
    bill = Bill(reserved=visit.lease.reserved if visit.lease else 0)
    try:
        if visit.stage_tries > MAX_TRIES:
            raise Permanent(ErrorCode.SUMMARY_UNAVAILABLE)
        async with within_lease(services, visit, ErrorCode.SUMMARY_UNAVAILABLE):
            summarizer = await summarizer_for(services, visit)
            transcript = Transcript(utterances=await services.store.transcript(visit.visit_id))
            summary = await ANALYSES[visit.kind](transcript, summarizer, bill)
    except Permanent as error:
        return await end_without_model(services, leased, error.code, bill.settlement)
    except UnreadableDocument as error:
        # A newer release wrote the transcript, so this release waits instead of summarizing a part.
        until = held_until(visit, error, services.clock.now())
        held = e.SummaryHeld(visit.attempt, until, paid=bill.settlement)
        return Decision(held, still_wanted=still_held(leased))
    except Transient as error:
        logs.failure("summary_failed_for_now", error)
        if bill.kept is None:
            return await go_on_without_model(services, leased, error, bill.settlement)
        summary = bill.kept  # the second request ran out of time; the first answer is paid for
    actions = action_items(visit, summary, transcript, services.clock.now())
    event = e.SummaryStored(visit.attempt, summarizer.source, summary, paid=bill.settlement)
    return Decision(event, actions=actions)
