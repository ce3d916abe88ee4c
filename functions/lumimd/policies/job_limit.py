"""The time limit of a job at the provider, after which another job is submitted.

The provider documents that most jobs end within 45 seconds. Long jobs take a hundredth to a third
of the recording's length, and up to three quarters during congestion. A margin of two hours covers
the provider's queue and an incident at the provider. The margin is generous because the recording
is paid twice if its job is given up too early.
"""

from datetime import datetime, timedelta
from typing import Final

from lumimd.domain.visit import Visit
from lumimd.policies.deployment_faults import since_fault

MARGIN: Final = timedelta(hours=2)
"""The time that a job may take in addition to the length of its recording."""

LONGEST: Final = timedelta(hours=12)
"""The longest limit, for ten hours of audio (the most that the provider accepts), and for a
recording of unknown length."""


def job_limit(audio_seconds: float | None) -> timedelta:
    """Return the time limit of a job for a recording of that length."""
    if audio_seconds is None:
        return LONGEST
    return min(LONGEST, MARGIN + timedelta(seconds=max(0.0, audio_seconds)))


def is_overdue(visit: Visit, now: datetime) -> bool:
    """Whether the job exceeds its time limit, not counting account and configuration faults."""
    if visit.transcription is None:
        return False
    since = since_fault(visit, visit.transcription.submitted_at)
    return now - since > job_limit(visit.audio.duration_seconds if visit.audio else None)
