"""Analyses of a transcript. A visit's `kind` chooses the analysis."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from lumimd.domain.clinical import VisitSummary
from lumimd.domain.transcript import Transcript
from lumimd.domain.visit import VisitKind
from lumimd.pipeline.analysis.visit_summary import Bill, summarize
from lumimd.ports.summarizer import Summarizer

Analysis = Callable[[Transcript, Summarizer, Bill], Awaitable[VisitSummary]]

ANALYSES: Final[Mapping[VisitKind, Analysis]] = {VisitKind.VISIT: summarize}
