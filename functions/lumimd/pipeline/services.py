"""What the pipeline works with: every port played by somebody, and what a deployment decides."""

from datetime import datetime
from typing import Protocol

from lumimd.coordination.admission.admit import Admission
from lumimd.coordination.shutdown import GracefulShutdown
from lumimd.domain.errors import Held
from lumimd.domain.visit import Stage
from lumimd.policies.deployment import Policy
from lumimd.ports.audio_store import AudioStore
from lumimd.ports.clock import Clock
from lumimd.ports.deletions import Deletions
from lumimd.ports.flags import FlagReader
from lumimd.ports.retention_queries import RetentionQueries
from lumimd.ports.summarizer import Summarizer
from lumimd.ports.task_queue import TaskQueue
from lumimd.ports.transcriber import Transcriber
from lumimd.ports.visit_counts import VisitCounts
from lumimd.ports.visit_store import VisitStore


class Services(Protocol):
    """Everything that the pipeline works with; a part may be built when it is first asked for."""

    @property
    def store(self) -> VisitStore: ...

    @property
    def deletions(self) -> Deletions: ...

    @property
    def retention_queries(self) -> RetentionQueries: ...

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
    def admission(self) -> Admission: ...

    @property
    def visit_counts(self) -> VisitCounts: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def policy(self) -> Policy: ...

    @property
    def flags(self) -> FlagReader: ...

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
