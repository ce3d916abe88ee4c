"""Makes the words of a simulated visit, which identify the recording and the job."""

from collections.abc import Iterable

from lumimd.domain.clinical import ActionItem, Medications, Statement, VisitSummary
from lumimd.domain.transcript import Transcript, Utterance


def spoken(visit_id: str, generation: int, job_id: str) -> str:
    """Return words that name the visit, the recording's generation, and the job."""
    return f"{visit_id} {generation} {job_id}"


def spoken_of(text: str) -> tuple[str, int, str]:
    """Return the visit, the generation and the job that words of `spoken` name."""
    visit_id, generation, job_id = text.split()
    return visit_id, int(generation), job_id


def transcript_of(visit_id: str, generation: int, job_id: str, *, is_silent: bool) -> Transcript:
    """Return a job's transcript of a recording; silence also has a billed duration."""
    seconds = 600.0 + generation
    if is_silent:
        return Transcript(utterances=(), duration_seconds=seconds)
    words = spoken(visit_id, generation, job_id)
    pages = 1 + generation % 2  # a generation may have more pages than the next generation
    return Transcript(
        utterances=tuple(
            Utterance(
                id=f"u{number}", speaker="A", start_ms=0, end_ms=900, text=words, confidence=0.9
            )
            for number in range(1, pages + 1)
        ),
        duration_seconds=seconds,
    )


def heard_in(utterances: Iterable[Utterance]) -> list[tuple[str, int]]:
    """Return the (visit, generation) pairs that utterances name, in order, without repeats."""
    return list(dict.fromkeys(spoken_of(each.text)[:2] for each in utterances))


def label(generations: Iterable[int]) -> str:
    """Return the name by which a summary refers to a set of recordings."""
    return "+".join(map(str, generations))


def summary_of(transcript: Transcript, attempt: int) -> VisitSummary:
    """Return a summary that names its recordings and has one to three action items."""
    heard = heard_in(transcript.utterances)
    visit_id, generation = heard[0][0], label(each for _, each in heard)
    said = [transcript.utterances[0].id]
    tasks = 1 + (heard[0][1] + attempt) % 3
    return VisitSummary(
        summary=[Statement(text=f"{visit_id} {generation}", evidence=said)],
        diagnoses=[],
        medications=Medications(started=[], stopped=[], changed=[]),
        imaging=[],
        next_steps=[],
        education=[],
        action_items=[
            ActionItem(text=f"{visit_id} {generation} {number}", due=None, evidence=said)
            for number in range(tasks)
        ],
    )
