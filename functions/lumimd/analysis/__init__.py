"""What is made of a transcript. A visit's `kind` chooses the analysis."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from lumimd.analysis.visit_summary import Bill, summarize
from lumimd.clinical import VisitSummary
from lumimd.ports import Summarizer
from lumimd.records import VisitKind
from lumimd.transcript import Transcript

Analysis = Callable[[Transcript, Summarizer, Bill], Awaitable[VisitSummary]]

ANALYSES: Final[Mapping[VisitKind, Analysis]] = {VisitKind.VISIT: summarize}
