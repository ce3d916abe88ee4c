"""The bill of the jobs, so that tests can prove that no transcription is charged twice.

Rules, from AssemblyAI's documentation: a job that ends in "error" is free, also one that fails
speech_threshold; silence without that threshold is charged like speech.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from infra.local.speech.jobs import Job


def charged_seconds(job: Job) -> int:
    """Seconds of audio charged so far: 0 while a job runs and when it failed."""
    if job.status != "completed" or job.recognition is None:
        return 0
    return job.recognition.seconds


def bill(jobs: Sequence[Job], requests: Counter[str]) -> dict[str, Any]:
    """The answer to GET /_local/bill. `requests` counts calls by route name."""
    lines = [
        {
            "id": job.id,
            "audio_url": job.audio_url,
            "webhook_url": job.webhook_url,
            "seconds": job.recognition.seconds if job.recognition else None,
            "status": job.status,
            "charged": charged_seconds(job) > 0,
        }
        for job in jobs
    ]
    return {
        "submissions": len(lines),
        "jobs": lines,
        "chargedSeconds": sum(charged_seconds(job) for job in jobs),
        "requests": dict(requests),
    }
