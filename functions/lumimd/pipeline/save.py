"""Save an event: ask the transition table, save by compare-and-set, then perform the effects."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from lumimd.domain.commit import Commit, Conflict, Stored, StoredAction
from lumimd.domain.dead_letter import dead_letter_of, works_again
from lumimd.domain.errors import Transient
from lumimd.domain.events import Event, HoldSet, SummaryStored
from lumimd.domain.owners_work import Merged, beside, merged
from lumimd.domain.state_machine import Advance, Effect, advance
from lumimd.domain.transcript import TranscriptPage
from lumimd.domain.visit import Action, Visit
from lumimd.pipeline.compare_and_set import until_saved
from lumimd.pipeline.services import Services
from lumimd.telemetry import logs, metrics


@dataclass(frozen=True)
class Decision:
    """The event to save after a visit was read, with its documents.

    `still_wanted` is called after a lost race, with the visit as another writer saved it. It
    returns whether to save the event all the same: a fact always, a plan (wait, give up) only if it
    is not out of date.
    """

    event: Event
    pages: Sequence[TranscriptPage] | None = None
    actions: Sequence[Action] | None = None
    still_wanted: Callable[[Visit], bool] = lambda visit: True


async def save_decision(services: Services, stored: Stored, decision: Decision) -> Stored | None:
    """Save a decision; see `save_event`."""
    return await save_event(
        services,
        stored,
        decision.event,
        pages=decision.pages,
        actions=decision.actions,
        still_wanted=decision.still_wanted,
    )


async def save_event(
    services: Services,
    stored: Stored,
    event: Event,
    *,
    pages: Sequence[TranscriptPage] | None = None,
    actions: Sequence[Action] | None = None,
    still_wanted: Callable[[Visit], bool] = lambda visit: True,
) -> Stored | None:
    """Save the effect of `event` on the visit, together with `pages` and `actions`.

    `actions` take over the documents of earlier items with the same content (`owners_work.py`).
    After a lost race the visit is read again and the table is asked again; a paid call is not
    repeated. Returns the visit as it is at the end, or None when it is gone.

    Raises:
        Transient: the store is not available, or the visit changes faster than it can be read.
    """

    async def attempt() -> Stored | None:
        nonlocal stored
        try:
            return await save_event_once(services, stored, event, pages=pages, actions=actions)
        except Conflict:
            again = await services.store.get(stored.visit.visit_id)
            if again is None:
                logs.event("visit_is_gone")
                return None
            stored = again
            if not still_wanted(stored.visit):
                logs.event("event_not_wanted_any_more", code=event.name)
                return stored
            raise

    return await until_saved(attempt)


async def save_event_once(
    services: Services,
    stored: Stored,
    event: Event,
    *,
    pages: Sequence[TranscriptPage] | None = None,
    actions: Sequence[Action] | None = None,
) -> Stored:
    """Save the effect of `event` on the visit as it was `stored`; an event that is late is ignored.

    Raises:
        Conflict: the visit changed since it was read, or is gone.
        Transient: the store is not available.
    """
    now = services.clock.now()
    merged_with = await _with_earlier(services, stored.visit, actions)
    if merged_with is not None and isinstance(event, SummaryStored):
        event = replace(event, action_ids=merged_with.ids, retired=merged_with.retired)
    step = advance(stored.visit, event, now)
    if not step.changed:
        logs.event("event_was_late", code=event.name)
        return stored
    items = None if step.withheld else merged_with
    commit = Commit(
        step.visit,
        entries=(step.entry,) if step.entry else (),
        pages=None if step.withheld else pages,
        stale_pages=stored.visit.transcript_pages,
        actions=items.write if items else (),
        stale_actions=items.retired if items else (),
        action_versions=items.versions if items else {},
        dead_letter=dead_letter_of(stored.visit, step.visit, now),
        no_dead_letter=works_again(stored.visit, step.visit),
    )
    saved = await services.store.save(stored, commit)
    announce(step, event)
    await perform(services, saved.visit, step, stored.visit.attempt)
    return saved


async def _with_earlier(
    services: Services, visit: Visit, actions: Sequence[Action] | None
) -> Merged | None:
    """Return the new action items, merged with the stored items of the previous summary."""
    if actions is None:
        return None
    if visit.legal_hold:
        return beside(visit.action_ids, actions)
    earlier: Sequence[StoredAction] = ()
    if visit.action_ids:
        found = await services.store.stored_actions(visit.visit_id)
        earlier = [each for each in found if each.action.action_id in visit.action_ids]
    return merged(earlier, actions)


def announce(step: Advance, event: Event) -> None:
    """Log that `event` was saved."""
    error = step.visit.processing_error if step.visit.processing_status.is_terminal else None
    logs.event(
        # The event as the transition table understood it.
        step.entry.event if step.entry else event.name,
        "warning" if error else "info",
        attempt=step.visit.attempt,
        trace=step.visit.trace,
        processingStatus=step.visit.processing_status,
        status=step.visit.status,
        tries=step.visit.stage_tries,
        **({"code": error.code} if error else {}),
    )
    # A new legal hold stops work without ending it.
    if not step.withheld and not isinstance(event, HoldSet):
        metrics.advanced(step, event)


async def perform(services: Services, visit: Visit, step: Advance, attempt: int) -> None:
    """Perform the effects of a saved step; a lost effect is repeated when `wake_at` comes.

    `attempt` is the attempt of the event; `visit` may be in the next attempt already.
    """
    if Effect.REQUEST_SUMMARY in step.effects:
        try:
            await services.tasks.request_summary(visit.visit_id, visit.attempt, visit.requests)
        except Transient as error:
            # The visit is due again shortly, and that creates another task.
            logs.failure("summary_not_requested", error)
    if Effect.RELEASE_PERMIT in step.effects:
        await services.admission.left(visit.visit_id, attempt)
