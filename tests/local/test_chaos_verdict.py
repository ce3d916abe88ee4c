"""scripts/chaos judges a run without faults as good, and a run with one fault as bad."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from infra.local.chaos.evidence import Evidence, Heard, Job
from infra.local.chaos.recordings import recordings
from infra.local.chaos.verdict import Promise, judge
from lumimd.domain.codes import ErrorCode
from lumimd.domain.transcript import TranscriptPage, Utterance
from lumimd.domain.visit import (
    Action,
    HistoryEntry,
    ProcessingError,
    ProcessingStatus,
    Stage,
    Status,
    Transcription,
    Visit,
)

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
VISIT = "chaos-00001"
STEPS = (
    ("audio_accepted", ProcessingStatus.PENDING),
    ("submission_claimed", ProcessingStatus.PENDING),
    ("transcription_submitted", ProcessingStatus.TRANSCRIBING),
    ("transcript_stored", ProcessingStatus.SUMMARIZING),
    ("summary_claimed", ProcessingStatus.SUMMARIZING),
    ("summary_stored", ProcessingStatus.COMPLETED),
)
HEARD = Heard("A", 0, 900, "Come back in two weeks.", 0.9)
JOB = Job("job-1", charged=True, heard=(HEARD,))


def an_action(number: int, text: str = "Come back") -> Action:
    return Action(
        action_id=f"a-{number}",
        visit_id=VISIT,
        user_id="u",
        text=f"{text} {number}",
        evidence=("u1",),
        created_at=NOW,
    )


def all_well() -> Evidence:
    visit = Visit(
        visit_id=VISIT,
        user_id="u",
        status=Status.COMPLETED,
        processing_status=ProcessingStatus.COMPLETED,
        transcription=Transcription(
            provider="assemblyai", transcript_id="job-1", submitted_at=NOW, completed_at=NOW
        ),
        action_ids=("a-0", "a-1"),
        history_length=len(STEPS),
        created_at=NOW,
        updated_at=NOW,
    )
    said = Utterance(
        id="u1",
        speaker=HEARD.speaker,
        start_ms=HEARD.start_ms,
        end_ms=HEARD.end_ms,
        text=HEARD.text,
        confidence=HEARD.confidence,
    )
    befores = (ProcessingStatus.PENDING, *(status for _, status in STEPS))
    history = [
        HistoryEntry(
            position=position, event=event, from_status=before, to_status=to, attempt=1, at=NOW
        )
        for position, ((event, to), before) in enumerate(zip(STEPS, befores, strict=False))
    ]
    return Evidence(
        visits={VISIT: visit},
        pages={VISIT: [TranscriptPage(page=0, utterances=(said,))]},
        history={VISIT: history},
        actions={VISIT: [an_action(0), an_action(1)]},
        jobs={VISIT: [JOB]},
    )


def changed(**fields: Any) -> Callable[[Evidence], Evidence]:
    """Return a function that changes these fields of the visit document in the evidence."""
    return lambda seen: replace(seen, visits={VISIT: seen.visits[VISIT].model_copy(update=fields)})


WAITING = {
    "status": Status.PROCESSING,
    "processing_status": ProcessingStatus.SUMMARIZING,
    "action_ids": (),
}
FAILED = {
    "status": Status.FAILED,
    "processing_status": ProcessingStatus.FAILED,
    "processing_error": ProcessingError.of(ErrorCode.TRANSCRIPTION_FAILED, Stage.TRANSCRIPTION),
}

FAULTS: dict[str, tuple[Callable[[Evidence], Evidence], Promise]] = {
    "no document": (lambda seen: replace(seen, visits={}), Promise.NOT_STUCK),
    "not at its end": (changed(**WAITING, wake_at=NOW), Promise.NOT_STUCK),
    "without a wake-up": (changed(**WAITING), Promise.WAKES_UP),
    "a wake-up after its end": (changed(wake_at=NOW + timedelta(hours=1)), Promise.WAKES_UP),
    "failed": (changed(**FAILED), Promise.COMPLETED),
    "paid for and not stored": (changed(**FAILED, transcription=None), Promise.NOT_LOST),
    "no pages": (lambda seen: replace(seen, pages={}), Promise.NOT_LOST),
    "words that were not served": (
        lambda seen: replace(seen, jobs={VISIT: [replace(JOB, heard=())]}),
        Promise.NOT_LOST,
    ),
    "the transcript of another": (
        lambda seen: replace(seen, jobs={VISIT: [replace(JOB, job_id="job-2")]}),
        Promise.NOT_LOST,
    ),
    "two charges": (
        lambda seen: replace(seen, jobs={VISIT: [JOB, replace(JOB, job_id="job-2")]}),
        Promise.PAID_ONCE,
    ),
    "an item of another attempt": (
        lambda seen: replace(seen, actions={VISIT: [an_action(n) for n in range(3)]}),
        Promise.ITEMS_ONCE,
    ),
    "an item said twice": (
        lambda seen: replace(
            seen, actions={VISIT: [an_action(0), an_action(0).model_copy(update=ID_1)]}
        ),
        Promise.ITEMS_ONCE,
    ),
    "a missing item": (
        lambda seen: replace(seen, actions={VISIT: [an_action(0)]}),
        Promise.ITEMS_ONCE,
    ),
    "a step missing in the history": (
        lambda seen: replace(
            seen, history={VISIT: [each for each in seen.history[VISIT] if each.position != 2]}
        ),
        Promise.LEGAL_STEPS,
    ),
    "a step outside of the transition table": (
        lambda seen: replace(
            seen,
            history={
                VISIT: [
                    each.model_copy(update={"event": "summary_stored"})
                    if each.event == "transcript_stored"
                    else each
                    for each in seen.history[VISIT]
                ]
            },
        ),
        Promise.LEGAL_STEPS,
    ),
    "items of a visit that was never uploaded": (
        lambda seen: replace(seen, actions={**seen.actions, "stranger": [an_action(9)]}),
        Promise.NO_STRAYS,
    ),
}
ID_1 = {"action_id": "a-1"}


def test_the_verdict_on_a_run_without_faults_has_no_breaches() -> None:
    verdict = judge([VISIT], all_well(), NOW)
    assert list(verdict.breaches) == []
    assert verdict.by_status[Status.COMPLETED] == 1


@pytest.mark.parametrize("fault", FAULTS)
def test_the_verdict_names_the_promise_that_each_fault_breaks(fault: str) -> None:
    add_fault, promise = FAULTS[fault]
    verdict = judge([VISIT], add_fault(all_well()), NOW)
    assert verdict.broken(promise) > 0, verdict.breaches


def test_a_failed_job_beside_the_charged_one_breaks_no_promise() -> None:
    lost = Job("job-0", charged=False)
    assert not judge([VISIT], replace(all_well(), jobs={VISIT: [lost, JOB]}), NOW).breaches


def test_the_same_seed_plans_the_same_recordings_with_every_kind_of_fault() -> None:
    planned = recordings(300, Random(5))
    assert planned == recordings(300, Random(5))
    assert planned != recordings(300, Random(6))
    assert len({each.object_name for each in planned}) == 300
    scripts = [each.script for each in planned]
    assert 20 < sum(not script.webhook for script in scripts) < 80
    assert sum(script.webhook_copies > 1 for script in scripts) > 3
    faults = [fault for script in scripts for fault in script.http]
    assert {(fault.route, fault.after_work) for fault in faults} == {
        ("submit", True),
        ("submit", False),
        ("get", False),
    }
    lengths = [script.seconds for script in scripts if script.seconds]
    assert len(set(lengths)) == len(lengths) == 150
