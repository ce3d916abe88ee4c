"""What the pipeline works with: every port played by somebody, and what a deployment decides."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from lumimd.errors import Held
from lumimd.metrics_census import Census
from lumimd.ports import (
    Archive,
    AudioStore,
    Clock,
    Deletions,
    Summarizer,
    TaskQueue,
    Transcriber,
    VisitStore,
)
from lumimd.records import Stage
from lumimd.resilience.rate_limit_policies import Tier
from lumimd.shutdown import GracefulShutdown

if TYPE_CHECKING:
    from lumimd.admission.admit import Admission
    from lumimd.flags import FlagReader


@dataclass(frozen=True)
class Policy:
    """What a deployment decides about the visits of its users.

    `bucket` holds the recordings; None where nobody compares it with the visits.
    `default_tier` is the tier of users of whom nothing is stored.
    `transcript_retention`: None keeps transcripts and summaries until they are deleted.
    """

    bucket: str | None = None
    default_tier: Tier = Tier.FREE
    requires_consent: bool = True
    expires_after: timedelta = timedelta(days=7)
    audio_retention: timedelta = timedelta(days=30)
    transcript_retention: timedelta | None = None


class Parts(Protocol):
    """Everything that the pipeline works with; a part may be built when it is first asked for."""

    @property
    def store(self) -> VisitStore: ...

    @property
    def deletions(self) -> Deletions: ...

    @property
    def archive(self) -> Archive: ...

    @property
    def tasks(self) -> TaskQueue: ...

    @property
    def audio(self) -> AudioStore: ...

    @property
    def transcriber(self) -> Transcriber: ...

    @property
    def summarizer(self) -> Summarizer: ...

    @property
    def fallback(self) -> Summarizer: ...

    @property
    def admission(self) -> "Admission": ...

    @property
    def census(self) -> Census: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def policy(self) -> Policy: ...

    @property
    def flags(self) -> "FlagReader": ...

    @property
    def shutdown(self) -> GracefulShutdown: ...

    def new_id(self) -> str:
        """A string that nobody else has."""
        ...

    async def refusal(self, stage: Stage, unanswered_since: datetime | None = None) -> Held | None:
        """What a call for the stage would be refused with, if its dependency is known to be down.

        From now on it is, if a visit was `unanswered_since` then and nobody was answered after.
        """
        ...
