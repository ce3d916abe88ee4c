"""The time limit of a job at the provider, after which another job is ordered.

The provider documents that most jobs end within 45 seconds, long ones in a hundredth to a third of
the recording's length, and in up to three quarters of it during congestion. Two hours on top are
margin for its queue and for an incident on its side: a job that is given up too early is paid
twice.
"""

from datetime import datetime, timedelta
from typing import Final

from lumimd.domain.visit import Visit
from lumimd.policies.deployment_faults import since_fault

MARGIN: Final = timedelta(hours=2)
"""Time of a job beyond the length of its recording, before it counts as overdue."""

LONGEST: Final = timedelta(hours=12)
"""For ten hours of audio, the most that the provider accepts, and for an unknown length."""


def job_limit(audio_seconds: float | None) -> timedelta:
    """The limit for a recording of that length."""
    if audio_seconds is None:
        return LONGEST
    return min(LONGEST, MARGIN + timedelta(seconds=max(0.0, audio_seconds)))


def is_overdue(visit: Visit, now: datetime) -> bool:
    """Whether the job exceeds its time limit; a fault of the deployment does not count."""
    if visit.transcription is None:
        return False
    since = since_fault(visit, visit.transcription.submitted_at)
    return now - since > job_limit(visit.audio.duration_seconds if visit.audio else None)
