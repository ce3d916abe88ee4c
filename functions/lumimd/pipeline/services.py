"""The services of the pipeline: an adapter for every port, and the policy of the deployment."""

from datetime import datetime
from typing import Protocol

from lumimd.coordination.admission.admit import Admission
from lumimd.coordination.shutdown import GracefulShutdown
from lumimd.domain.errors import Held
from lumimd.domain.visit import Stage
from lumimd.policies.deployment import Policy
from lumimd.ports.audio_store import AudioStore
from lumimd.ports.clock import Clock
from lumimd.ports.flags import FlagReader
from lumimd.ports.summarizer import Summarizer
from lumimd.ports.task_queue import TaskQueue
from lumimd.ports.transcriber import Transcriber
from lumimd.stores.deletions import Deletions
from lumimd.stores.retention_queries import RetentionQueries
from lumimd.stores.visit_counts import VisitCounts
from lumimd.stores.visit_store import VisitStore


class Services(Protocol):
    """All services of the pipeline; a service may be built at its first use."""

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
        """Return a unique string."""
        ...

    async def refusal(self, stage: Stage, unanswered_since: datetime | None = None) -> Held | None:
        """Return the refusal of a call for the stage while its circuit breaker is open, or None.

        The breaker opens if the provider has answered no other visit since `unanswered_since`.
        """
        ...
