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
from lumimd.pipeline.lease import claim, still_held, while_claimed
from lumimd.pipeline.save import record
from lumimd.pipeline.services import Parts
from lumimd.pipeline.switches import summarizer_for, waits_for_switch
from lumimd.pipeline.without_model import end_without_model, go_on_without_model
from lumimd.policies.waiting import held_until
from lumimd.telemetry import logs


async def summarize(parts: Parts, visit_id: str, attempt: int) -> None:
    """Make the summary of a transcribed visit and store it with its action items.

    Repeated or late tasks do nothing, and so does a task while another one works on the visit.

    Raises:
        Transient: the store is not available.
    """
    stored = await parts.store.get(visit_id)
    if (
        stored is None
        or stored.visit.attempt != attempt
        or stored.visit.processing_status is not ProcessingStatus.SUMMARIZING
    ):
        logs.event("task_was_late")
        return
    with logs.about(trace=stored.visit.trace):
        if await waits_for_switch(parts, stored):
            return
        claimed = await claim(parts, stored, e.SummaryClaimed)
        if claimed is not None:
            await _summarize(parts, claimed)


async def _summarize(parts: Parts, claimed: Stored) -> None:
    visit = claimed.visit
    bill = Bill(reserved=visit.claim.reserved if visit.claim else 0)
    try:
        if visit.stage_tries > MAX_TRIES:
            raise Permanent(ErrorCode.SUMMARY_UNAVAILABLE)
        async with while_claimed(parts, visit, ErrorCode.SUMMARY_UNAVAILABLE):
            summarizer = await summarizer_for(parts, visit)
            transcript = Transcript(utterances=await parts.store.transcript(visit.visit_id))
            summary = await ANALYSES[visit.kind](transcript, summarizer, bill)
    except Permanent as error:
        await end_without_model(parts, claimed, error.code, bill.settlement)
        return
    except UnreadableDocument as error:
        # Of a newer release: its transcript is neither summarized in part nor given up.
        until = held_until(visit, error, parts.clock.now())
        held = e.SummaryHeld(visit.attempt, until, paid=bill.settlement)
        await record(parts, claimed, held, still_wanted=still_held(claimed))
        return
    except Transient as error:
        logs.failure("summary_failed_for_now", error)
        if bill.kept is None:
            await go_on_without_model(parts, claimed, error, bill.settlement)
            return
        summary = bill.kept  # the time was up for the second ask, and not for what was paid
    actions = action_items(visit, summary, transcript, parts.clock.now())
    event = e.SummaryStored(visit.attempt, summarizer.source, summary, paid=bill.settlement)
    await record(parts, claimed, event, actions=actions)
