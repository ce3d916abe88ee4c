"""Guards that can be removed, each by its name: the simulator must notice that each is missing.

A guard that nothing misses is dead code, or a promise that nobody watches.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final
from unittest.mock import patch

from lumimd import (
    claims,
    collecting,
    commands,
    events,
    fallback,
    pipeline,
    recording,
    recovery,
    replies,
)
from lumimd import visit as table
from lumimd.admission import slots, sweep
from lumimd.admission.admit import Admission
from lumimd.audio import Audio
from lumimd.commit import Commit, Conflict, Stored
from lumimd.events import submission, summary
from lumimd.records import Claim, ProcessingStatus, Visit
from lumimd.resilience import breaker_state, retry
from tests.simulation.faults import Dependency
from tests.simulation.gate import SimulatedDocuments
from tests.simulation.guard import Guard, Remove, put
from tests.simulation.sabotage_of_rights import RIGHTS
from tests.simulation.sabotage_of_waiting import TWO_HOURS, WAITING
from tests.simulation.store import Documents
from tests.simulation.store_ports import SimulatedVisitStore
from tests.simulation.transcription import Transcriptions

# -- the store -------------------------------------------------------------------------------------


def _save_whatever(self: Documents, read: Stored, commit: Commit) -> Stored:
    if commit.visit.visit_id not in self.visits:
        raise Conflict
    return self.write(commit)


_save = SimulatedVisitStore.save


async def _status_then_pages(self: SimulatedVisitStore, read: Stored, commit: Commit) -> Stored:
    if commit.pages is None:
        return await _save(self, read, commit)
    saved = await _save(self, read, replace(commit, pages=None))
    return await _save(self, saved, replace(commit, entries=(), visit=saved.visit))


async def _pages_then_status(self: SimulatedVisitStore, read: Stored, commit: Commit) -> Stored:
    if commit.pages is not None:
        pages = {page.page: page for page in commit.pages}
        visit_id = commit.visit.visit_id
        await self._through(
            "save", visit_id, lambda: self.documents.pages.setdefault(visit_id, {}).update(pages)
        )
    return await _save(self, read, replace(commit, pages=None))


async def _status_then_actions(self: SimulatedVisitStore, read: Stored, commit: Commit) -> Stored:
    if commit.actions is None:
        return await _save(self, read, commit)
    saved = await _save(self, read, replace(commit, actions=None))
    return await _save(self, saved, replace(commit, entries=(), visit=saved.visit))


_deletes = Commit.deletes


def _keeping(kind: str) -> Callable[[Commit], list[str]]:
    return lambda commit: [path for path in _deletes(commit) if kind not in path]


def _never_due(status: ProcessingStatus) -> Remove:
    real = Documents.due

    def due(self: Documents, *args: Any) -> list[Stored]:
        return [found for found in real(self, *args) if found.visit.processing_status is not status]

    return put((Documents, "due", due))


# -- the pipeline ----------------------------------------------------------------------------------


async def _finds_nothing(self: Transcriptions, audio: Audio) -> None:
    return None


@asynccontextmanager
async def _without_end(*args: Any) -> Any:
    yield


_advance = table.advance


def _advance_any_attempt(visit: Visit, event: events.Event, now: Any) -> table.Advance:
    if event.attempt is not None:
        event = replace(event, attempt=visit.attempt)
    return _advance(visit, event, now)


_record = recording.record


async def _effects_first(parts: Any, stored: Stored, event: events.Event, **more: Any) -> Any:
    step = _advance(stored.visit, event, parts.clock.now())
    if step.changed:
        await recording._perform(parts, step.visit, step)
    return await _record(parts, stored, event, **more)


async def _always_200(work: Any, *, rejected: int) -> int:
    try:
        await work
    except Exception:
        return 200
    return 200


def _named_by_any_generation(self: Audio, url: str) -> bool:
    return f"/{self.storage_path}?" in url


def _any_difference_is_news(visit: Visit, audio: Audio) -> events.Event:
    if visit.audio is None:
        return events.AudioAccepted(None, audio)
    if audio.generation != visit.audio.generation:
        return events.AudioReplaced(None, audio)
    return events.AudioRepeated(None)


def _claimed_uncounted(visit: Visit, claim: Any) -> dict[str, Any]:
    return {"claim": claim, "wake_at": claim.until}


def _everybody_probes(breaker: Any, holder: str, now: Any, policy: Any) -> Any:
    if breaker.is_closed:
        return breaker
    claim = Claim(holder=holder, until=now + policy.probe_for)
    changes: dict[str, Any] = {"probe": claim}
    if breaker.state is breaker_state.State.OPEN:
        changes |= {"state": breaker_state.State.HALF_OPEN, "changed_at": now}
    return breaker.model_copy(update=changes)


def _without(pair: tuple[ProcessingStatus, type[events.Event]]) -> Remove:
    rows = {key: row for key, row in table.TRANSITIONS.items() if key != pair}
    return put(
        (table, "TRANSITIONS", rows),
        (table, "LATE_OR_REPEATED", table.LATE_OR_REPEATED | {pair}),
    )


# -- the gate --------------------------------------------------------------------------------------


_taken = slots.taken


def _taken_without_room(shard: Any, place: Any, room: Any, now: Any) -> Any:
    return _taken(shard, place, replace(room, places=10**6, for_batches=10**6), now)


async def _save_document_whatever(
    self: SimulatedDocuments[Any], key: str, read_version: object, document: Any
) -> object:
    def effect() -> object:
        self.kept[key] = document, next(self._versions)
        return self.kept[key][1]

    return await self._through(f"save_{self._name}", effect)


async def _admits_everybody(self: Admission, visit: Visit) -> None:
    return None


async def _calls_nobody(self: Admission, parts: Any) -> list[Stored]:
    return []


async def _runs_no_more(parts: Any, visit: Visit | None) -> bool:
    return False


_AWAY: Final[dict[str, Any]] = {"level": "none", "outages": ((Dependency.MODEL, TWO_HOURS),)}
_PROVIDER_AWAY: Final[dict[str, Any]] = {
    "level": "none",
    "outages": ((Dependency.TRANSCRIPTION, TWO_HOURS),),
}

_SHOWS_AT: Final[Mapping[type[events.Event], dict[str, Any]]] = {
    events.AudioAccepted: {"level": "impatient"},
    events.ConsentGiven: {"level": "consenting"},
    events.SubmissionHeld: _PROVIDER_AWAY,
    events.SubmissionQueued: {"level": "queueing"},
    events.SummaryDeferred: {"level": "repeating"},
    events.SummaryHeld: _AWAY,
    events.VisitExpired: {"level": "impatient"},
}
"""Where the lack of a transition for such an event shows soonest, if not with heavy faults."""

_EVERYWHERE: Final = (collecting, fallback, pipeline, recovery)

GUARDS: Final[Mapping[str, Guard]] = {
    "save-precondition": Guard(
        "who read an old version must not overwrite a newer one",
        put((Documents, "save", _save_whatever)),
    ),
    "create-precondition": Guard(
        "of two first events one creates the visit",
        put((Documents, "create", lambda self, commit: self.write(commit))),
    ),
    "claim": Guard(
        "one holder at a time may pay",
        put((Visit, "is_claimed", lambda self, now: False)),
    ),
    "claim-expiry-gap": Guard(
        "no call of a dead holder is still on its way when the next one looks",
        put((claims, "GAP", timedelta(0))),
        level="crowded",
    ),
    "work-ends-with-the-claim": Guard(
        "who lost its claim must not pay any more",
        put((pipeline, "while_claimed", _without_end)),
    ),
    "put-aside-is-a-claim": Guard(
        "a repeated task does not ask the model before the time that it asked for",
        put(
            (submission, "nobodys_before", lambda until: None),
            (summary, "nobodys_before", lambda until: None),
        ),
        level="repeating",
    ),
    "tries-are-counted": Guard(
        "the calls that one visit can cause are bounded",
        put(
            (submission, "claimed", _claimed_uncounted),
            (summary, "claimed", _claimed_uncounted),
        ),
    ),
    "look-before-you-pay": Guard(
        "an order whose answer was lost is adopted, not repeated",
        put((Transcriptions, "find", _finds_nothing)),
    ),
    "orders-are-not-retried": Guard(
        "nobody knows whether an order without an answer arrived",
        put((retry, "ORDER", retry.TRANSCRIPTION)),
    ),
    "unanswered-model-calls-are-not-retried": Guard(
        "an answer is paid for whether it is heard or not",
        put((retry, "MODEL", replace(retry.MODEL, repeats_unanswered=True))),
    ),
    "job-identity": Guard(
        "a hint cannot slip one visit the transcript of another",
        put((collecting, "_is_of", lambda job, visit: True)),
    ),
    "generation-in-the-url": Guard(
        "the job of an older recording is not adopted",
        put((Audio, "is_named_by", _named_by_any_generation)),
    ),
    "newest-generation-wins": Guard(
        "an event that comes late does not bring an old recording back",
        put((pipeline, "audio_event", _any_difference_is_news)),
    ),
    "atomic-checkpoint-status-first": Guard(
        "a transcript is announced together with its pages",
        put((SimulatedVisitStore, "save", _status_then_pages)),
    ),
    "atomic-checkpoint-pages-first": Guard(
        "pages are written only by whoever wins the status",
        put((SimulatedVisitStore, "save", _pages_then_status)),
    ),
    "atomic-completion": Guard(
        "action items are written in the commit that completes the visit",
        put((SimulatedVisitStore, "save", _status_then_actions)),
    ),
    "stale-pages-are-removed": Guard(
        "no page of an earlier recording stays behind",
        put((Commit, "deletes", _keeping("/transcript/"))),
    ),
    "stale-actions-are-removed": Guard(
        "no action item of an earlier attempt stays behind",
        put((Commit, "deletes", _keeping("actions/"))),
    ),
    "deterministic-action-ids": Guard(
        "action items that are made twice are written once",
        lambda stack: stack.enter_context(
            patch(
                "lumimd.action_items.action_id",
                lambda visit, position: f"{random.getrandbits(64):x}-{position:03d}",
            )
        ),
    ),
    "attempt-fencing": Guard(
        "what an earlier attempt still brings is refused",
        put(
            (pipeline, "advance", _advance_any_attempt),
            (recording, "advance", _advance_any_attempt),
            (claims, "advance", _advance_any_attempt),
        ),
    ),
    "overlapping-ticks": Guard(
        "of two ticks one creates the task, and none takes a claim away",
        put((recovery, "_is_due", lambda parts, visit: True)),
    ),
    "decisions-are-the-holders": Guard(
        "who lost its claim, or has decided already, does not decide again",
        put(
            (pipeline, "still_held", lambda claimed: lambda visit: True),
            (fallback, "still_held", lambda claimed: lambda visit: True),
        ),
    ),
    "effects-after-save": Guard(
        "a task never comes before the state that it is about",
        put(*((module, "record", _effects_first) for module in _EVERYWHERE)),
    ),
    "errors-decide-the-reply": Guard(
        "what failed is not acknowledged",
        put((replies, "_status_of", _always_200)),
    ),
    "retry-keeps-the-transcript": Guard(
        "another attempt does not transcribe again what is transcribed",
        put((commands, "retry_event", lambda visit: events.SubmissionRetried(visit.attempt))),
    ),
    "places-are-counted": Guard(
        "a shard that is full takes nobody in",
        put((slots, "taken", _taken_without_room)),
    ),
    "places-by-precondition": Guard(
        "of two who want the last place one gets it",
        put((SimulatedDocuments, "save", _save_document_whatever)),
        level="crowded",
    ),
    "place-before-order": Guard(
        "who has no place orders nothing",
        put((Admission, "may_submit", _admits_everybody)),
    ),
    "abandoned-jobs-keep-their-place": Guard(
        "a job runs on, whether its visit still wants it or not",
        put((sweep, "_runs", _runs_no_more)),
        level="fickle",
    ),
    "line-is-called": Guard(
        "who waits in line is called when a place is free",
        put((Admission, "admit_waiting", _calls_nobody)),
    ),
    "dead-letters": Guard(
        "every visit that failed is an operator's business",
        put((recording, "dead_letter_of", lambda visit, now: None)),
    ),
    "breaker-election": Guard(
        "a dependency that is down is asked by one probe at a time",
        lambda stack: stack.enter_context(
            patch("lumimd.resilience.breaker.probing", _everybody_probes)
        ),
    ),
    **{
        f"wake-up-of-{status}": Guard(
            f"whatever gets lost while {status}, the scheduler comes by", _never_due(status)
        )
        for status in ProcessingStatus
        if not status.is_terminal
    },
    **{
        f"transition-{source}-{event.name}": Guard(
            f"{event.name} while {source} is news, not late",
            _without((source, event)),
            **_SHOWS_AT.get(event, {}),
        )
        for source, event in table.TRANSITIONS
    },
    **WAITING,
    **RIGHTS,
}


@contextmanager
def removed(name: str | None) -> Iterator[None]:
    """Without the guard of that name, and with all others."""
    with ExitStack() as stack:
        if name is not None:
            GUARDS[name].remove(stack)
        yield
