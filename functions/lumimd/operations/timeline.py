"""The timeline of a visit: its history as stages with durations, without words of the visit."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final

from lumimd.domain.document import Document
from lumimd.domain.paths import transcript_path, visit_path
from lumimd.domain.visit import HistoryEntry, ProcessingStatus, Stage, VisitLine

_STAGES: Final = {
    ProcessingStatus.PENDING: Stage.SUBMISSION,
    ProcessingStatus.TRANSCRIBING: Stage.TRANSCRIPTION,
    ProcessingStatus.SUMMARIZING: Stage.SUMMARY,
}
_ORDER: Final = tuple(Stage)
_TROUBLE: Final = ("_deferred", "_failed", "_rejected")
_JOB_LOST: Final = ("transcription_restarted", "transcription_given_up")
_RECORDING_ARRIVED: Final = ("audio_accepted", "audio_replaced", "take_accepted")


class RunOutcome(StrEnum):
    """The outcome of a stage, or that it still runs."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    STARTED_OVER = "started_over"


_OF_ONE_FILE: Final = {
    "take_transcribed": RunOutcome.DONE,
    **dict.fromkeys(("take_refused", "transcript_kept", "results_kept"), RunOutcome.FAILED),
}
"""The outcomes of the work on one file of a visit with several files."""


class StageRun(Document):
    """One stage of one attempt.

    `input_ref` and `output_ref` name the stored input and output, and `input_hash` is the same for
    the same input. These three are known for the present attempt only. `trouble` lists the error
    codes, in order.
    """

    stage: Stage
    attempt: int
    started_at: datetime
    ended_at: datetime | None = None
    seconds: float
    outcome: RunOutcome = RunOutcome.RUNNING
    tries: int = 0
    trouble: tuple[str, ...] = ()
    input_ref: str | None = None
    input_hash: str | None = None
    output_ref: str | None = None

    def with_trouble(self, code: str) -> "StageRun":
        """Return the same run, with `code` added to its trouble."""
        return self.model_copy(update={"trouble": (*self.trouble, code)})


class Timeline(Document):
    """The timeline of a visit, for an operator who investigates the visit."""

    visit: VisitLine
    runs: tuple[StageRun, ...]
    history: tuple[HistoryEntry, ...]


def timeline(visit: VisitLine, history: Sequence[HistoryEntry], now: datetime) -> Timeline:
    """Return the stages of `visit` from its history; a running stage has lasted until `now`."""
    runs = [_with_refs(run, visit) for run in stage_runs(history, now)]
    return Timeline(visit=visit, runs=tuple(runs), history=tuple(history))


def stage_runs(history: Sequence[HistoryEntry], now: datetime) -> list[StageRun]:
    """Return each run of a stage, in order.

    Time before the recording arrived belongs to no stage.
    """
    runs: list[StageRun] = []
    has_recording = False
    for entry in history:
        starts_over = entry.event in _RECORDING_ARRIVED
        has_recording = has_recording or starts_over
        if not has_recording:
            continue
        stage = _STAGES.get(entry.to_status)
        running = runs[-1] if runs and runs[-1].ended_at is None else None
        is_same = running is not None and running.attempt == entry.attempt and not starts_over
        if running is not None and (stage is not running.stage or not is_same):
            runs[-1] = running = _ended(running, entry)
            if entry.event in _JOB_LOST and entry.detail:
                runs[-1] = running = running.with_trouble(entry.detail)
        if stage is not None and (running is None or running.ended_at is not None):
            runs.append(
                StageRun(stage=stage, attempt=entry.attempt, started_at=entry.at, seconds=0)
            )
        if runs:
            runs[-1] = _noted(runs[-1], entry)
    if runs and runs[-1].ended_at is None:
        lasted = (now - runs[-1].started_at).total_seconds()
        runs[-1] = runs[-1].model_copy(update={"seconds": lasted})
    return runs


def _ended(run: StageRun, entry: HistoryEntry) -> StageRun:
    return run.model_copy(
        update={
            "ended_at": entry.at,
            "seconds": (entry.at - run.started_at).total_seconds(),
            "outcome": _outcome(run, entry),
        }
    )


def _outcome(run: StageRun, entry: HistoryEntry) -> RunOutcome:
    if entry.event in _OF_ONE_FILE:
        return _OF_ONE_FILE[entry.event]
    if entry.to_status is ProcessingStatus.FAILED:
        return RunOutcome.FAILED
    if entry.to_status is ProcessingStatus.COMPLETED:
        return RunOutcome.DONE
    stage = _STAGES.get(entry.to_status)
    if stage is None:
        return RunOutcome.CANCELLED
    is_forward = entry.attempt == run.attempt and _ORDER.index(stage) > _ORDER.index(run.stage)
    return RunOutcome.DONE if is_forward else RunOutcome.STARTED_OVER


def _noted(run: StageRun, entry: HistoryEntry) -> StageRun:
    is_try = entry.event.endswith("_claimed")
    if is_try:
        run = run.model_copy(update={"tries": run.tries + 1})
    is_trouble = entry.detail is not None and entry.event.endswith(_TROUBLE)
    return run.with_trouble(entry.detail) if is_trouble and entry.detail else run


def _with_refs(run: StageRun, visit: VisitLine) -> StageRun:
    if run.attempt != visit.attempt:
        return run
    audio, job = visit.audio, visit.transcription
    recording = f"{audio.url}#{audio.generation}" if audio else None
    ordered = f"{job.provider}/{job.transcript_id}" if job else None
    pages = transcript_path(visit.visit_id) if job and job.completed_at else None
    done = run.outcome is RunOutcome.DONE
    match run.stage:
        case Stage.SUBMISSION:
            refs = (recording, recording, ordered if done else None)
        case Stage.TRANSCRIPTION:
            refs = (ordered, recording, pages if done else None)
        case Stage.SUMMARY:
            refs = (pages, ordered, visit_path(visit.visit_id) if done else None)
    input_ref, identity, output_ref = refs
    digest = sha256(identity.encode()).hexdigest()[:16] if identity else None
    return run.model_copy(
        update={"input_ref": input_ref, "input_hash": digest, "output_ref": output_ref}
    )
