"""The summary of a transcribed visit."""

from lumimd.domain import events as e
from lumimd.domain.action_items import action_items
from lumimd.domain.commit import Stored
from lumimd.domain.errors import (
    ErrorCode,
    Permanent,
    Transient,
    UnreadableDocument,
)
from lumimd.domain.timing import MAX_TRIES
from lumimd.domain.transcript import Transcript
from lumimd.domain.visit import ProcessingStatus
from lumimd.pipeline.analysis import ANALYSES
from lumimd.pipeline.analysis.visit_summary import Bill
from lumimd.pipeline.lease import lease, still_held, within_lease
from lumimd.pipeline.save import save_event
from lumimd.pipeline.services import Services
from lumimd.pipeline.switches import summarizer_for, waits_for_switch
from lumimd.pipeline.without_model import end_without_model, go_on_without_model
from lumimd.policies.waiting import held_until
from lumimd.telemetry import logs


async def summarize(services: Services, visit_id: str, attempt: int) -> None:
    """Make the summary of a transcribed visit and store it with its action items.

    Repeated or late tasks do nothing, and so does a task while another one works on the visit.

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
        leased = await lease(services, stored, e.SummaryClaimed)
        if leased is not None:
            await _summarize(services, leased)


async def _summarize(services: Services, leased: Stored) -> None:
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
        await end_without_model(services, leased, error.code, bill.settlement)
        return
    except UnreadableDocument as error:
        # Of a newer release: its transcript is neither summarized in part nor given up.
        until = held_until(visit, error, services.clock.now())
        held = e.SummaryHeld(visit.attempt, until, paid=bill.settlement)
        await save_event(services, leased, held, still_wanted=still_held(leased))
        return
    except Transient as error:
        logs.failure("summary_failed_for_now", error)
        if bill.kept is None:
            await go_on_without_model(services, leased, error, bill.settlement)
            return
        summary = bill.kept  # the time was up for the second ask, and not for what was paid
    actions = action_items(visit, summary, transcript, services.clock.now())
    event = e.SummaryStored(visit.attempt, summarizer.source, summary, paid=bill.settlement)
    await save_event(services, leased, event, actions=actions)
