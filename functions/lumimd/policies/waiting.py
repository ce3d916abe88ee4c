"""The pauses of a visit between the tries of a stage."""

from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from lumimd.domain.errors import Held
from lumimd.domain.visit import Visit
from lumimd.policies.deployment_faults import is_fault, since_fault

FIRST: Final = timedelta(seconds=60)
"""Long enough for the provider's list to show an order whose answer was lost."""

LONGEST: Final = timedelta(minutes=10)
"""Upper bound of the exponential backoff between the tries of a stage."""

MAX_RETRY_AFTER: Final = timedelta(days=1)
"""Upper bound on an honoured Retry-After: no user waits a week for a summary."""


def put_aside(tries: int, retry_after_s: float | None) -> timedelta:
    """The pause after try number `tries` (from 1): exponential backoff, at least Retry-After."""
    doubled: timedelta = FIRST * 2 ** max(0, min(tries, 10) - 1)
    asked = timedelta(seconds=min(retry_after_s or 0, MAX_RETRY_AFTER.total_seconds()))
    return max(min(doubled, LONGEST), asked)


SIGNED_URL_VALID_FOR: Final = timedelta(hours=1)
"""A queued job must still be able to fetch the recording; the provider starts within minutes."""

PROVISIONAL_AFTER: Final = timedelta(minutes=10)
"""The time that users wait for the model before they see a summary by rules."""

GIVE_UP_AFTER: Final = timedelta(days=1)
"""The time after which a visit stops waiting for a dependency that does not return."""

RELEASE_OVER: Final = timedelta(minutes=2)
"""Jitter: held visits return spread over this time, not all at the moment of recovery."""

LONGEST_HOLD: Final = timedelta(minutes=8)
"""Upper bound of the pause of a held visit, in outages of hours: `held_until`."""

LONGEST_HOLD_FOR_FAULT: Final = timedelta(minutes=15)
"""Upper bound of the pause of a visit held for a fault of the deployment, of any duration."""


def held_until(visit: Visit, error: Held, now: datetime) -> datetime:
    """Next check of a held visit: exponential backoff (pause = time held so far) plus jitter.

    The visit is checked a few times in the first minutes, every `LONGEST_HOLD` in an outage of
    hours, and less often in an outage of days.
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


def lacks_provisional(visit: Visit, now: datetime) -> bool:
    """Whether users have waited long enough to see a summary by rules.

    Under legal hold they see no provisional summary, since it could not be replaced.
    """
    if visit.legal_hold:
        return False
    return visit.source is None and now - _transcribed_at(visit) >= PROVISIONAL_AFTER


def wanted_since(visit: Visit) -> datetime:
    """The earliest time of the summary in this attempt; the transcript may be days old."""
    began_at = visit.timings.processing_started_at if visit.timings else visit.created_at
    return since_fault(visit, max(_transcribed_at(visit), began_at))


def _transcribed_at(visit: Visit) -> datetime:
    assert visit.transcription is not None
    assert visit.transcription.completed_at is not None
    return visit.transcription.completed_at


SWITCH_CHECK: Final = timedelta(minutes=4)
"""Pause of a visit while processing is switched off for it."""
