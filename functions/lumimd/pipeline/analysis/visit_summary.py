"""The summary of a visit: request it, check it, and request it once more after a bad answer.

| the answer                          | the result                                               |
|-------------------------------------|----------------------------------------------------------|
| every statement cites spoken words  | this answer is the summary                               |
| some statements do not              | a second request; the better one of two such answers is  |
|                                     | the summary, without its bad statements                  |
| none do, or it is empty or too large| a second request; then there is no summary               |
| the model refuses                   | there is no summary                                      |

One bad statement never costs a visit its summary. Without a summary by the model, the rules write
one (`without_model.py`).
"""

import json
from asyncio import CancelledError
from dataclasses import dataclass
from typing import Final

from lumimd.domain.clinical import VisitSummary
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import BadAnswer, NotCharged, Permanent, Transient, Unanswered
from lumimd.domain.ledger import Settlement
from lumimd.domain.transcript import Transcript
from lumimd.pipeline.analysis.evidence import Supported, supported
from lumimd.ports.summarizer import AskedAgain, Summarizer
from lumimd.telemetry import logs

ASKS: Final = 2
"""The most requests to the model for one try of a visit."""

MAX_STORED_BYTES: Final = 700_000
"""The most bytes of results, out of the 1 MiB that a document may hold.

The other fields of a visit take less than 100 KB. Results are counted as they are stored, in UTF-8,
the summary twice: joined and by statements.
"""

MAX_ITEMS: Final = 100
"""The most statements in one list; the schema sets no limit, and clients show all statements."""


@dataclass
class Bill:
    """The model calls of one try: `answers` cost money, `unheard` calls may have done so.

    `reserved` calls are on the ledger already. `kept` is the best answer so far, with its bad
    statements removed; it becomes the summary if the request after a bad answer is interrupted.
    """

    answers: int = 0
    kept: VisitSummary | None = None
    unheard: int = 0
    reserved: int = 0

    @property
    def settlement(self) -> Settlement:
        """Return the entry for the ledger."""
        return Settlement(self.answers, self.unheard, self.reserved)


async def summarize(transcript: Transcript, summarizer: Summarizer, bill: Bill) -> VisitSummary:
    """Request a summary and check it; a model gets a second request after a bad answer.

    Raises:
        Transient: the summarizer is not available.
        Permanent: it cannot summarize this transcript, or both answers were bad.
    """
    asks = ASKS if summarizer.source == "model" else 1
    best: Supported | None = None
    bad: BadAnswer | None = None
    while asks > 0:
        asks -= 1
        try:
            answer = await _answer(transcript, _asked(summarizer, bad), bill)
        except BadAnswer as error:
            bad = error
            asks = asks if error.may_get_better else 0
        except (Transient, Permanent):
            if best is None:
                raise
            break
        else:
            if not answer.left_out:
                return answer.summary
            best = answer if best is None or _is_better(answer, best) else best
            bill.kept = best.summary
            bad = BadAnswer(ErrorCode.SUMMARY_INVALID)
        logs.event("bad_answer", "warning", code=bad.code, source=summarizer.source)
    if best is not None:
        logs.event("statements_left_out", "warning", count=best.left_out)
        return best.summary
    assert bad is not None
    raise bad


def check(summary: VisitSummary, transcript: Transcript) -> None:
    """Refuse a summary with an unsupported statement, or one that cannot be stored.

    Raises:
        BadAnswer: `summary_invalid`.
    """
    if _usable(summary, transcript).left_out:
        raise BadAnswer(ErrorCode.SUMMARY_INVALID)


def stored_bytes(summary: VisitSummary) -> int:
    """Return an upper bound of the bytes that the results take in the visit's document."""
    statements = [each.text for each in summary.summary]
    results = {"summary": " ".join(statements), "results": summary.to_stored()}
    return len(json.dumps(results, ensure_ascii=False).encode())


async def _answer(transcript: Transcript, summarizer: Summarizer, bill: Bill) -> Supported:
    paid = summarizer.source == "model"
    try:
        summary = await summarizer.summarize(transcript)
    except NotCharged:
        raise
    except Permanent:
        bill.answers += paid
        raise
    except Transient as error:
        bill.unheard += paid and _may_have_answered(error)
        raise
    except CancelledError:  # the lease is about to expire
        bill.unheard += paid
        raise
    bill.answers += paid
    return _usable(summary, transcript)


def _may_have_answered(error: BaseException | None) -> bool:
    """Return whether the call was sent but got no response; a breaker may have opened on that."""
    if error is None or isinstance(error, Unanswered):
        return error is not None
    return _may_have_answered(error.__cause__)


def _asked(summarizer: Summarizer, bad: BadAnswer | None) -> Summarizer:
    if bad is not None and isinstance(summarizer, AskedAgain):
        return summarizer.after(bad)
    return summarizer


def _usable(summary: VisitSummary, transcript: Transcript) -> Supported:
    found = supported(summary, transcript)
    lists = found.summary.lists()
    if (
        not found.summary.summary
        or any(len(each) > MAX_ITEMS for each in lists)
        or stored_bytes(found.summary) > MAX_STORED_BYTES
    ):
        raise BadAnswer(ErrorCode.SUMMARY_INVALID)
    return found


def _is_better(answer: Supported, than: Supported) -> bool:
    return (answer.left_out, -answer.kept) < (than.left_out, -than.kept)
