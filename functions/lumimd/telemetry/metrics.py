"""Metrics as log lines, for dashboards and alerts. Only this module names the lines and fields.

| line                  | when                           | fields besides the ids                  |
|-----------------------|--------------------------------|-----------------------------------------|
| `stage_ended`         | a stage was passed             | stage, durationMs, delayMs; for a       |
|                       |                                | transcript also its length              |
| `visit_ended`         | the automatic work ended       | outcome, status, code, stage,           |
|                       |                                | durationMs, and the cost                |
| `transcript_ordered`  | the provider took an order     | its length                              |
| `dead_letter_written` | a visit failed                 | stage, code, tries                      |
| `visit_retried`       | another attempt was asked for  | retries                                 |
| `provider_called`     | a call to a provider ended     | dependency, operation, outcome,         |
|                       |                                | durationMs                              |
| `woke_due_visits`     | each run of the scheduler      | count, lateMs, overdue, unreadable      |

Cloud Logging makes metrics of these lines (`infra/monitoring/metrics`; the reasons are in
docs/decisions/0009). The counts of stored documents are in `visit_counts.py`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from lumimd.domain import events as e
from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Stored
from lumimd.domain.errors import Held, Permanent, Transient
from lumimd.domain.progress import Step, expected_transcription_s
from lumimd.domain.state_machine import Advance
from lumimd.domain.visit import ProcessingStatus, Stage, Visit
from lumimd.policies.alerting import METRIC_OVERDUE_AFTER
from lumimd.ports.paging import Page
from lumimd.ports.transcriber import JobGone
from lumimd.telemetry import logs

UP_TO_OWNER: Final = "up_to_owner"

_RETRIED: Final = (e.SubmissionRetried, e.SummaryRetried)
"""The events that count as retries of failed work, unlike a new summary and a late consent."""


def advanced(step: Advance, event: e.Event) -> None:
    """Log the metrics of `event`, after `event` was saved."""
    _measure_stage(step, event)
    if _has_just_ended(step):
        _measure(step.visit, "visit_ended", **_visit_fields(step.visit))
        _measure_failure(step.visit)
    if isinstance(event, e.TranscriptionSubmitted):
        _measure_order(step.visit)
    if type(event) in _RETRIED:
        _measure(step.visit, "visit_retried", retries=step.visit.retry_count)


def _measure_order(visit: Visit) -> None:
    """Log a paid job, for alerts on the cost; a recording of unknown duration logs no length."""
    seconds = visit.audio.duration_seconds if visit.audio else None
    fields: dict[str, Any] = {} if seconds is None else {"audioSeconds": seconds}
    _measure(visit, "transcript_ordered", **fields)


def _has_just_ended(step: Advance) -> bool:
    entry = step.entry
    return entry is not None and entry.to_status.is_terminal and not entry.from_status.is_terminal


def _measure_failure(visit: Visit) -> None:
    error = visit.processing_error
    if error is None or _outcome(visit) != ProcessingStatus.FAILED:
        return
    _measure(
        visit,
        "dead_letter_written",
        "warning",
        stage=error.stage,
        code=error.code,
        tries=visit.stage_tries,
    )


def _outcome(visit: Visit) -> str:
    """Return the outcome of a visit; a visit that waits for its owner does not count as failed."""
    error = visit.processing_error
    if visit.processing_status is ProcessingStatus.FAILED and (
        visit.audio is None or (error is not None and error.code is ErrorCode.CONSENT_MISSING)
    ):
        return UP_TO_OWNER
    return visit.processing_status


def _measure_stage(step: Advance, event: e.Event) -> None:
    visit, entry = step.visit, step.entry
    if entry is None or visit.timings is None:
        return
    started_at = visit.timings.processing_started_at
    audio_s = visit.audio.duration_seconds if visit.audio else None
    match event:
        # After a lost job the start of the stage is unknown, so only the whole visit is measured.
        case e.TranscriptionSubmitted() if visit.restarts == 0:
            _stage_ended(visit, Stage.SUBMISSION, entry.at - started_at)
        case e.TranscriptStored(transcript=transcript) if (
            entry.from_status is ProcessingStatus.TRANSCRIBING and visit.transcription is not None
        ):
            _stage_ended(
                visit,
                Stage.TRANSCRIPTION,
                entry.at - visit.transcription.submitted_at,
                expected_s=expected_transcription_s(audio_s),
                audioSeconds=audio_s,
                utterances=len(transcript.utterances),
                characters=sum(len(utterance.text) for utterance in transcript.utterances),
            )
        case e.SummaryStored() if visit.transcription and visit.transcription.completed_at:
            began_at = max(started_at, visit.transcription.completed_at)
            _stage_ended(visit, Stage.SUMMARY, entry.at - began_at)
        case _:
            pass


def _stage_ended(
    visit: Visit, stage: Stage, took: timedelta, *, expected_s: float = 0.0, **fields: Any
) -> None:
    """Log the end of a stage; `delayMs` is the time beyond the expected duration of the stage."""
    took_ms = _ms(took)
    delay_ms = max(0, took_ms - round(expected_s * 1000))
    _measure(visit, "stage_ended", stage=stage, durationMs=took_ms, delayMs=delay_ms, **fields)


def _visit_fields(visit: Visit) -> dict[str, Any]:
    """Return the fields for the outcome, the duration and the cost of a visit."""
    audio, error = visit.audio, visit.processing_error
    failed = visit.processing_status is ProcessingStatus.FAILED
    fields = {
        "processingStatus": visit.processing_status,
        "status": visit.status,
        "outcome": _outcome(visit),
        "code": error.code if error and failed else None,
        "stage": error.stage if error and failed else None,
        "durationMs": visit.timings.processing_time_ms if visit.timings else None,
        "audioSeconds": audio.duration_seconds if audio else None,
        "sizeBytes": audio.size_bytes if audio else None,
        "source": visit.source,
        "orders": visit.ledger.orders,
        "paidSeconds": visit.ledger.audio_seconds,
        "summaries": visit.ledger.summaries,
        "restarts": visit.restarts,
        "retries": visit.retry_count,
    }
    return {name: value for name, value in fields.items() if value is not None}


class Outcome(StrEnum):
    """The outcome of a call to a provider."""

    ANSWERED = "answered"
    REFUSED = "refused"
    FAILED = "failed"
    NOT_CALLED = "not_called"
    CANCELLED = "cancelled"


@asynccontextmanager
async def provider_call(dependency: str, operation: str) -> AsyncIterator[None]:
    """Log the duration and the outcome of one call to a provider.

    `not_called` means that its breaker was open, `cancelled` that we or a bug ended the call.
    """
    loop = asyncio.get_running_loop()  # the simulator moves the clock of the loop
    began, outcome = loop.time(), Outcome.CANCELLED
    try:
        yield
        outcome = Outcome.ANSWERED
    except (Permanent, JobGone):
        outcome = Outcome.REFUSED
        raise
    except Held as held:
        # With a cause, the call was made, and its failure opened the breaker.
        outcome = Outcome.FAILED if held.__cause__ else Outcome.NOT_CALLED
        raise
    except Transient:
        outcome = Outcome.FAILED
        raise
    finally:
        logs.event(
            "provider_called",
            dependency=dependency,
            operation=operation,
            outcome=outcome,
            durationMs=round((loop.time() - began) * 1000),
        )


class Tick:
    """The metrics of one run of the scheduled function: the number and the delay of due visits."""

    def __init__(self, now: datetime) -> None:
        self.count = 0
        self._now = now
        self._overdue = 0
        self._unreadable = 0
        self._latest = timedelta()

    def found(self, due: Page[Stored]) -> None:
        """Count the visits of a page of due visits."""
        self._unreadable += len(due.unreadable)
        for visit in (stored.visit for stored in due.items):
            self.count += 1
            if visit.wake_at is not None:
                self._latest = max(self._latest, self._now - visit.wake_at)
            self._overdue += _is_overdue(visit, self._now)

    def ended(self) -> None:
        """Log the metrics of the run; without this line the scheduled function does not run."""
        logs.event(
            "woke_due_visits",
            count=self.count,
            lateMs=_ms(self._latest),
            overdue=self._overdue,
            unreadable=self._unreadable,
        )


def _is_overdue(visit: Visit, now: datetime) -> bool:
    """Whether the visit is overdue; visits that wait for a permit or a quota never count."""
    if visit.timings is None or visit.current_step is Step.QUEUED:
        return False
    return now - visit.timings.processing_started_at > METRIC_OVERDUE_AFTER


def _measure(visit: Visit, line: str, severity: str = "info", **fields: Any) -> None:
    logs.event(
        line,
        severity,
        visitId=visit.visit_id,
        attempt=visit.attempt,
        trace=visit.trace,
        **fields,
    )


def _ms(duration: timedelta) -> int:
    return round(duration.total_seconds() * 1000)
