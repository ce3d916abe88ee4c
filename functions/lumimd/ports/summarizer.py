"""A source of structured summaries."""

from typing import Protocol, runtime_checkable

from lumimd.domain.clinical import Source, VisitSummary
from lumimd.domain.errors import BadAnswer
from lumimd.domain.transcript import Transcript


class Summarizer(Protocol):
    """Whoever can tell what was said in a visit."""

    source: Source

    async def summarize(self, transcript: Transcript) -> VisitSummary:
        """The structured summary, as far as it could be read.

        Raises:
            BadAnswer: the model was paid, and its answer is no summary.
            NotCharged: the request was refused before any work; there will be none.
            Permanent: there will be none of this transcript, and it was paid for.
            Unanswered: there may be one later, and this call may have been paid for.
            ProviderRefuses: the provider refuses this deployment.
            Transient: there may be one later.
        """
        ...


@runtime_checkable
class AskedAgain(Protocol):
    """A summarizer that is asked in another way after a bad answer."""

    def after(self, bad: BadAnswer) -> Summarizer:
        """The summarizer for the second ask."""
        ...
