"""Test that the table of the state machine is complete and keeps its invariants."""

from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumimd.domain import events as e
from lumimd.domain.codes import ErrorCode
from lumimd.domain.state_machine import (
    LATE_OR_REPEATED,
    TRANSITIONS,
    IllegalTransition,
    advance,
    audio_event,
)
from lumimd.domain.visit import (
    HistoryEntry,
    Lease,
    ProcessingStatus,
    Status,
    Take,
    Transcription,
    Visit,
)
from tests.support.services import START, another, transcript, upload
from tests.support.summaries import summary_of

LATER = START + timedelta(minutes=1)
ATTEMPT = 1


def new_visit() -> Visit:
    return Visit(visit_id="v", user_id="u", created_at=START, updated_at=START)


def an(event: type[e.Event], attempt: int = ATTEMPT) -> e.Event:
    """Return an event of this type for `attempt`."""
    lease = Lease(holder="h", until=LATER)
    code = ErrorCode.TRANSCRIPTION_FAILED
    heard = transcript()
    examples = {
        e.AudioAccepted: lambda: e.AudioAccepted(None, upload().audio),
        e.AudioReplaced: lambda: e.AudioReplaced(None, upload(generation=2).audio),
        e.AudioRepeated: lambda: e.AudioRepeated(None),
        e.TakeAdded: lambda: e.TakeAdded(None, another(2).audio),
        e.TakeAccepted: lambda: e.TakeAccepted(None, another(2).audio),
        e.TakeTranscribed: lambda: e.TakeTranscribed(attempt, "assemblyai", "job", heard, 1),
        e.TakeRefused: lambda: e.TakeRefused(attempt, ErrorCode.AUDIO_UNREADABLE),
        e.TranscriptKept: lambda: e.TranscriptKept(attempt, ErrorCode.AUDIO_UNREADABLE),
        e.ResultsKept: lambda: e.ResultsKept(attempt, ErrorCode.AUDIO_UNREADABLE),
        e.SubmissionClaimed: lambda: e.SubmissionClaimed(attempt, lease),
        e.SubmissionDeferred: lambda: e.SubmissionDeferred(attempt, LATER, code),
        e.AudioRejected: lambda: e.AudioRejected(attempt, ErrorCode.AUDIO_UNREADABLE),
        e.SubmissionHeld: lambda: e.SubmissionHeld(attempt, LATER),
        e.SubmissionQueued: lambda: e.SubmissionQueued(attempt, 7, LATER),
        e.SummaryHeld: lambda: e.SummaryHeld(attempt, LATER),
        e.ProvisionalSummaryStored: lambda: e.ProvisionalSummaryStored(
            attempt, LATER, "rules", summary_of(heard), True
        ),
        e.SubmissionRetried: lambda: e.SubmissionRetried(attempt),
        e.SummaryRetried: lambda: e.SummaryRetried(attempt),
        e.SummaryRegenerated: lambda: e.SummaryRegenerated(attempt),
        e.ConsentGiven: lambda: e.ConsentGiven(None),
        e.ConsentGivenLate: lambda: e.ConsentGivenLate(attempt),
        e.JobCharged: lambda: e.JobCharged(None, e.Charge("job", 60.0)),
        e.VisitEdited: lambda: e.VisitEdited(None, {"title": "Knee"}),
        e.HoldSet: lambda: e.HoldSet(None),
        e.TakeStoppedByHold: lambda: e.TakeStoppedByHold(None),
        e.TranscriptKeptByHold: lambda: e.TranscriptKeptByHold(None),
        e.SummaryStoppedByHold: lambda: e.SummaryStoppedByHold(None),
        e.TakeHeld: lambda: e.TakeHeld(None, upload(generation=2).audio),
        e.HoldReleased: lambda: e.HoldReleased(None),
        e.SummaryResumed: lambda: e.SummaryResumed(attempt),
        e.VisitPrioritized: lambda: e.VisitPrioritized(None, True),
        e.VisitDelayed: lambda: e.VisitDelayed(attempt),
        e.VisitExpired: lambda: e.VisitExpired(attempt),
        e.VisitCancelled: lambda: e.VisitCancelled(None),
        e.TranscriptionSubmitted: lambda: e.TranscriptionSubmitted(
            attempt, "assemblyai", "job", upload().audio
        ),
        e.TranscriptionPolled: lambda: e.TranscriptionPolled(attempt, LATER),
        e.TranscriptStored: lambda: e.TranscriptStored(attempt, "assemblyai", "job", heard, 1),
        e.TranscriptionFailed: lambda: e.TranscriptionFailed(attempt, code),
        e.TranscriptionRestarted: lambda: e.TranscriptionRestarted(attempt, LATER),
        e.TranscriptionGivenUp: lambda: e.TranscriptionGivenUp(attempt, LATER),
        e.SummaryRequested: lambda: e.SummaryRequested(attempt),
        e.SummaryClaimed: lambda: e.SummaryClaimed(attempt, lease),
        e.SummaryDeferred: lambda: e.SummaryDeferred(attempt, LATER, code),
        e.SummaryStored: lambda: e.SummaryStored(attempt, "model", summary_of(heard), ("a",)),
        e.SummaryFailed: lambda: e.SummaryFailed(attempt, ErrorCode.SUMMARY_REFUSED),
    }
    return examples[event]()


def all_events(base: type[e.Event] = e.Event) -> set[type[e.Event]]:
    direct = set(base.__subclasses__())
    return direct.union(*(all_events(event) for event in direct))


EVENTS = sorted(all_events(), key=lambda event: event.__name__)

PATHS = {
    ProcessingStatus.PENDING: (e.AudioAccepted,),
    ProcessingStatus.TRANSCRIBING: (e.AudioAccepted, e.TranscriptionSubmitted),
    ProcessingStatus.SUMMARIZING: (e.AudioAccepted, e.TranscriptStored),
    ProcessingStatus.COMPLETED: (e.AudioAccepted, e.TranscriptStored, e.SummaryStored),
    ProcessingStatus.FAILED: (e.AudioAccepted, e.AudioRejected),
}


def visit_in(status: ProcessingStatus) -> Visit:
    visit = new_visit()
    if status is ProcessingStatus.CANCELLED:
        return visit.model_copy(update={"processing_status": status, "status": Status.CANCELLED})
    for event in PATHS[status]:
        visit = advance(visit, an(event), START).visit
    return visit


def with_more_files(visit: Visit, event: type[e.Event]) -> Visit:
    """Add two more files to the visit if the event ends the work on one of several files."""
    if event not in (*e.MEANT, *e.STOPPED_BY_HOLD) or visit.audio is None:
        return visit
    take = Take(audio=upload().audio, transcription=job(), seconds=8.0, order=1)
    waiting = (another(3).audio,)
    return visit.model_copy(update={"takes": (take,), "waiting_takes": waiting})


def job() -> Transcription:
    return Transcription(
        provider="assemblyai", transcript_id="job", submitted_at=START, completed_at=START
    )


@pytest.mark.parametrize(("status", "event"), list(product(ProcessingStatus, EVENTS)))
def test_each_event_in_each_status_is_a_transition_a_listed_duplicate_or_an_error(
    status: ProcessingStatus, event: type[e.Event]
) -> None:
    pair = (status, event)
    assert not (pair in TRANSITIONS and pair in LATE_OR_REPEATED)
    visit = with_more_files(visit_in(status), event)
    if pair in TRANSITIONS:
        after = advance(visit, an(event), START)
        assert after.changed
        assert after.visit.processing_status is TRANSITIONS[pair].to
        assert after.effects == TRANSITIONS[pair].effects
    elif pair in LATE_OR_REPEATED:
        after = advance(visit, an(event), START)
        assert not after.changed
        assert after.visit is visit
        assert not after.effects
    else:
        with pytest.raises(IllegalTransition):
            advance(visit, an(event), START)


def test_the_tables_of_the_state_machine_contain_every_event() -> None:
    named = {event for _, event in (*TRANSITIONS, *LATE_OR_REPEATED)}
    assert named == set(EVENTS)


OF_ANY_VISIT = sorted({*EVENTS} - {*e.MEANT, *e.STOPPED_BY_HOLD}, key=str)


@given(st.lists(st.sampled_from(OF_ANY_VISIT), max_size=25))
def test_the_invariants_of_a_visit_hold_after_any_sequence_of_events(
    path: list[type[e.Event]],
) -> None:
    visit, history = new_visit(), list[HistoryEntry]()
    for at, event in enumerate(path):
        now = START + timedelta(seconds=at)
        try:
            after = advance(visit, an(event, visit.attempt), now)
        except IllegalTransition:
            continue
        if not after.changed:
            continue
        terminal = after.visit.processing_status.is_terminal
        # A visit without a recording waits for its owner; retention expires it.
        if terminal or after.visit.audio is not None:
            assert (after.visit.wake_at is None) == terminal
        assert (after.visit.status is Status.PROCESSING) == (not terminal)
        assert after.visit.attempt >= visit.attempt
        if after.visit.attempt == visit.attempt:
            assert after.visit.progress_percent >= visit.progress_percent
        assert after.visit.progress_percent % 10 == 0
        if after.visit.processing_status is ProcessingStatus.COMPLETED:
            assert after.visit.progress_percent == 100
            assert after.visit.summary
        assert (after.visit.processing_error is not None) == (
            after.visit.processing_status is ProcessingStatus.FAILED
        )
        if after.entry:
            history.append(after.entry)
        visit = after.visit
    assert [entry.position for entry in history] == list(range(visit.history_length))
    legal = {(status, transition.to) for (status, _), transition in TRANSITIONS.items()}
    assert {(entry.from_status, entry.to_status) for entry in history} <= legal


OF_AN_ATTEMPT = [event for event in EVENTS if an(event).attempt is not None]


@pytest.mark.parametrize("event", OF_AN_ATTEMPT)
@pytest.mark.parametrize("status", ProcessingStatus)
def test_events_of_an_earlier_attempt_change_nothing(
    status: ProcessingStatus, event: type[e.Event]
) -> None:
    visit = visit_in(status).model_copy(update={"attempt": 2})
    assert not advance(visit, an(event, attempt=1), START).changed


def test_a_visit_with_a_transcript_is_partial_after_its_summary_failed() -> None:
    visit = advance(visit_in(ProcessingStatus.SUMMARIZING), an(e.SummaryFailed), START).visit
    assert (visit.status, visit.processing_status) == (Status.PARTIAL, ProcessingStatus.FAILED)
    assert visit.processing_error
    assert visit.processing_error.stage == "summary"


def test_only_a_newer_recording_starts_a_new_attempt() -> None:
    done = visit_in(ProcessingStatus.COMPLETED)
    assert isinstance(audio_event(done, upload(generation=1).audio), e.AudioRepeated)
    assert isinstance(audio_event(done, upload(generation=0).audio), e.AudioRepeated)
    newer = audio_event(done, upload(generation=2).audio)
    visit = advance(done, newer, LATER).visit
    assert (visit.attempt, visit.processing_status) == (2, ProcessingStatus.PENDING)
    assert visit.transcription is None
    assert (visit.summary, visit.medications) == (done.summary, done.medications), "they stay shown"


def test_a_completed_visit_has_its_start_end_and_processing_time() -> None:
    visit = visit_in(ProcessingStatus.SUMMARIZING)
    visit = advance(visit, an(e.SummaryStored), START + timedelta(seconds=90)).visit
    assert visit.timings
    assert visit.timings.processing_started_at == START
    assert visit.timings.processing_completed_at == START + timedelta(seconds=90)
    assert visit.timings.processing_time_ms == 90_000
