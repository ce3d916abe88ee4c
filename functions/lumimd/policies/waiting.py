"""The pauses of a visit between tries, and while the visit waits for a dependency."""

from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from lumimd.domain.errors import Held
from lumimd.domain.visit import Visit
from lumimd.policies.deployment_faults import is_fault, since_fault

FIRST: Final = timedelta(seconds=60)
"""The first pause, long enough for the provider's list to show a paid job after a lost response."""

LONGEST: Final = timedelta(minutes=10)
"""The upper bound of the exponential backoff between the tries of a stage."""

MAX_RETRY_AFTER: Final = timedelta(days=1)
"""The upper bound of a Retry-After that is obeyed, so that no user waits a week for a summary."""


def put_aside(tries: int, retry_after_s: float | None) -> timedelta:
    """Return the pause after try `tries` (from 1): exponential backoff, at least Retry-After."""
    doubled: timedelta = FIRST * 2 ** max(0, min(tries, 10) - 1)
    asked = timedelta(seconds=min(retry_after_s or 0, MAX_RETRY_AFTER.total_seconds()))
    return max(min(doubled, LONGEST), asked)


SIGNED_URL_VALID_FOR: Final = timedelta(hours=1)
"""The validity of a recording's signed URL: the provider starts a queued job within minutes and
then fetches the recording."""

PROVISIONAL_AFTER: Final = timedelta(minutes=10)
"""The time that users wait for the model before they see a rule-based summary."""

GIVE_UP_AFTER: Final = timedelta(days=1)
"""The time after which a visit stops waiting for a dependency that stays down."""

RELEASE_OVER: Final = timedelta(minutes=2)
"""The range of the jitter: visits that waited for a dependency return spread over this time."""

LONGEST_HOLD: Final = timedelta(minutes=8)
"""The upper bound of the pause between two checks in an outage of some hours (`held_until`)."""

LONGEST_HOLD_FOR_FAULT: Final = timedelta(minutes=15)
"""The upper bound of the pause between two checks in an account or configuration fault."""


def held_until(visit: Visit, error: Held, now: datetime) -> datetime:
    """Return the next check of a visit that waits for a dependency.

    The pause equals the time waited so far (exponential backoff), plus jitter. So the visit is
    checked a few times in the first minutes, every `LONGEST_HOLD` in an outage of some hours, and
    less often in an outage of days.
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
    """Whether users have waited long enough to see a rule-based summary.

    Under legal hold no provisional summary is shown, since it could not be replaced later.
    """
    if visit.legal_hold:
        return False
    return visit.source is None and now - _transcribed_at(visit) >= PROVISIONAL_AFTER


def wanted_since(visit: Visit) -> datetime:
    """Return the time since which this attempt lacks a summary; its transcript may be days old."""
    began_at = visit.timings.processing_started_at if visit.timings else visit.created_at
    return since_fault(visit, max(_transcribed_at(visit), began_at))


def _transcribed_at(visit: Visit) -> datetime:
    assert visit.transcription is not None
    assert visit.transcription.completed_at is not None
    return visit.transcription.completed_at


SWITCH_CHECK: Final = timedelta(minutes=4)
"""The pause between two checks of a visit while a flag switches its processing off."""
