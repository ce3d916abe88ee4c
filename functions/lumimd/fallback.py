"""The summary while the model is away: wait, then show one made by rules, then say so.

| the model                     | the visit                                                        |
|-------------------------------|------------------------------------------------------------------|
| is known to be down           | is held; no try is used up                                       |
| fails                         | is put aside; after the last try it is `partial`, a dead letter  |
| has been away for a while     | shows a provisional summary by rules, and goes on waiting        |
| is still away a day later     | is `partial`: the transcript and the provisional summary stay    |
| refuses the deployment        | as while it is down, and no time is used up (`deployment.py`)    |
"""

from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from lumimd import events as e
from lumimd import logs
from lumimd.analysis import ANALYSES
from lumimd.claims import still_held
from lumimd.commit import Stored
from lumimd.deployment import is_fault, since_fault
from lumimd.errors import ErrorCode, Held, Permanent, Transient
from lumimd.parts import Parts
from lumimd.recording import record
from lumimd.records import Stage, Visit
from lumimd.resilience.backoff import MAX_TRIES, put_aside
from lumimd.transcript import Transcript

PROVISIONAL_AFTER: Final = timedelta(minutes=10)
"""How long people wait for the model before they are shown what rules can tell."""

GIVE_UP_AFTER: Final = timedelta(days=1)

RELEASE_OVER: Final = timedelta(minutes=2)
"""Held visits come back spread over this time, not all at the moment the dependency is back."""


LONGEST_HOLD: Final = timedelta(minutes=8)
"""How long a dependency may be back, after hours, before who waits for it looks again."""


LONGEST_HOLD_FOR_FAULT: Final = timedelta(minutes=15)
"""However long a key was wrong: every visit has looked soon after its change."""


def held_until(visit: Visit, error: Held, now: datetime) -> datetime:
    """When a held visit looks again: after as long as it has been held, at a moment of its own.

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
    """Whether people have waited long enough to be shown what rules can tell."""
    return visit.source is None and now - _transcribed_at(visit) >= PROVISIONAL_AFTER


async def go_on_without_model(parts: Parts, claimed: Stored, error: Transient) -> None:
    """Decide what becomes of a claimed visit whose summary could not be made now.

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
    until = (
        held_until(visit, error, now)
        if isinstance(error, Held)
        else now + put_aside(visit.stage_tries, error.retry_after_s)
    )
    waited = now - _wanted_since(visit)
    is_last_try = not held and visit.stage_tries >= MAX_TRIES
    stored: Stored | None = claimed
    shown = False
    if lacks_provisional(visit, now) or (is_last_try and visit.source is None):
        provisional = await _by_rules(parts, visit, until, error)
        if provisional is not None:
            wanted = still_held(claimed)
            stored, shown = await record(parts, claimed, provisional, still_wanted=wanted), True
    if stored is None or (shown and not stored.visit.provisional):
        return  # the visit is gone, or somebody else's
    wanted = still_held(stored)
    if is_last_try or (waited >= GIVE_UP_AFTER and not is_fault(error)):
        gave_up = e.SummaryFailed(visit.attempt, ErrorCode.SUMMARY_UNAVAILABLE)
        await record(parts, stored, gave_up, still_wanted=wanted)
    elif held and not shown:
        waits = e.SummaryHeld(visit.attempt, until, for_fault=is_fault(error))
        await record(parts, stored, waits, still_wanted=wanted)
    elif not shown:
        deferred = e.SummaryDeferred(visit.attempt, until, error.code)
        await record(parts, stored, deferred, still_wanted=wanted)


async def _by_rules(
    parts: Parts, visit: Visit, until: datetime, error: Transient
) -> e.ProvisionalSummaryStored | None:
    """A summary by rules, or None where the rules find nothing to say."""
    transcript = Transcript(utterances=await parts.store.transcript(visit.visit_id))
    try:
        summary = await ANALYSES[visit.kind](transcript, parts.fallback)
    except Permanent as nothing:
        logs.failure("rules_have_nothing_to_say", nothing)
        return None
    source = parts.fallback.source
    used_a_try = not isinstance(error, Held)
    return e.ProvisionalSummaryStored(
        visit.attempt, until, source, summary, used_a_try, for_fault=is_fault(error)
    )


def _wanted_since(visit: Visit) -> datetime:
    """When the summary could first be made in this attempt; the transcript may be days old."""
    began_at = visit.timings.processing_started_at if visit.timings else visit.created_at
    return since_fault(visit, max(_transcribed_at(visit), began_at))


def _transcribed_at(visit: Visit) -> datetime:
    assert visit.transcription is not None
    assert visit.transcription.completed_at is not None
    return visit.transcription.completed_at
