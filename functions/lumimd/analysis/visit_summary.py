"""The summary of a visit, accepted only when every statement rests on words that were spoken."""

from typing import Final

from lumimd.clinical import VisitSummary
from lumimd.errors import ErrorCode, Permanent
from lumimd.ports import Summarizer
from lumimd.transcript import Transcript

MAX_STORED_BYTES: Final = 400_000
"""A visit document may hold 1 MiB; a longer summary is not one."""


async def summarize(transcript: Transcript, summarizer: Summarizer) -> VisitSummary:
    """Ask the summarizer and check its answer.

    Raises:
        Transient: the summarizer is not available.
        Permanent: it refused, was cut off, or its answer is not supported by the transcript.
    """
    summary = await summarizer.summarize(transcript)
    check(summary, transcript)
    return summary


def check(summary: VisitSummary, transcript: Transcript) -> None:
    """Refuse a summary with a statement that cites nothing, or something that was never said.

    Raises:
        Permanent: `summary_invalid`.
    """
    ids = transcript.ids
    for statement in summary.evidenced():
        if not statement.evidence or not ids.issuperset(statement.evidence):
            raise Permanent(ErrorCode.SUMMARY_INVALID)
    if not summary.summary or len(summary.model_dump_json()) > MAX_STORED_BYTES:
        raise Permanent(ErrorCode.SUMMARY_INVALID)
