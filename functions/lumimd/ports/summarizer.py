"""The port to a source of structured summaries."""

from typing import Protocol, runtime_checkable

from lumimd.domain.clinical import Source, VisitSummary
from lumimd.domain.errors import BadAnswer
from lumimd.domain.transcript import Transcript


class Summarizer(Protocol):
    """A source of structured summaries of visits."""

    source: Source

    async def summarize(self, transcript: Transcript) -> VisitSummary:
        """Return the structured summary, with the parts of the response that are valid.

        Raises:
            BadAnswer: the model was paid, and its response cannot be used as a summary.
            NotCharged: the provider refused the request before any work; a retry does not help.
            Permanent: this transcript gets no summary, and the call was charged.
            Unanswered: a retry may succeed, and this call may have been charged.
            ProviderRefuses: the provider refuses this deployment.
            Transient: a retry may succeed.
        """
        ...


@runtime_checkable
class AskedAgain(Protocol):
    """A summarizer that changes its request after an unusable response."""

    def after(self, bad: BadAnswer) -> Summarizer:
        """Return the summarizer for the second request."""
        ...
