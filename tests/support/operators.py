"""Make an operator with services in memory, and visits in every state."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from lumimd.adapters.memory import MemoryVisitStore
from lumimd.adapters.memory.controls import MemoryQueues, MemorySchedules
from lumimd.domain.audio import Upload
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import NotCharged, Permanent
from lumimd.domain.events import SummaryFailed
from lumimd.domain.transcript import Transcript
from lumimd.domain.visit import Visit
from lumimd.operations import checks
from lumimd.operations.operator import Operator
from lumimd.pipeline import accept, collect, summarize
from lumimd.pipeline.save import save_event
from lumimd.policies.breaker import MODEL, ORDERS, TRANSCRIPTION, Breaker
from lumimd.ports.health_check import Check
from lumimd.ports.transcriber import Transcribed
from lumimd.stores.operator_store import OperatorStore
from lumimd.stores.shared_documents import SharedDocuments
from tests.support.services import MemoryServices, NothingToSay, transcript
from tests.support.shared_documents import in_memory

QUEUE = "summaries"
SCHEDULE = "wake-due-visits"
CANARY = "zanzibar"
"""A word that appears only in these visits."""


@dataclass
class OperatorTools:
    """Services that only operators need; a mixin for the pipeline's services in memory."""

    store: MemoryVisitStore = field(default_factory=MemoryVisitStore)
    queues: MemoryQueues = field(default_factory=lambda: MemoryQueues(QUEUE))
    schedules: MemorySchedules = field(default_factory=lambda: MemorySchedules(SCHEDULE))
    breakers: SharedDocuments[Breaker] = field(default_factory=lambda: in_memory(Breaker))

    @cached_property
    def operators(self) -> OperatorStore:
        return OperatorStore(self.store.database)

    @property
    def checks(self) -> Mapping[str, Check]:
        return {
            "store": checks.store_check(self.store),
            "queues": checks.queue_check(self.queues),
            "scheduler": checks.scheduler_check(self.schedules),
            "breaker: transcription": checks.breaker_check(self.breakers, TRANSCRIPTION.name),
            "breaker: orders": checks.breaker_check(self.breakers, ORDERS.name),
            "breaker: model": checks.breaker_check(self.breakers, MODEL.name),
        }


@dataclass
class OperatedServices(OperatorTools, MemoryServices):
    """The services of the pipeline and of operators in memory, and visits in any state."""

    owner: str = "user-1"

    async def get(self, visit_id: str) -> Visit:
        stored = await self.store.get(visit_id)
        assert stored is not None
        return stored.visit

    def uploaded_now(self, visit_id: str) -> Upload:
        return self.upload(visit_id, user_id=self.owner).model_copy(
            update={"announced_at": self.clock.now()}
        )

    async def submitted(self, visit_id: str) -> None:
        """Make a visit whose transcription job is submitted."""
        await accept.accept(self, self.uploaded_now(visit_id))

    async def transcribed(self, visit_id: str) -> None:
        """Make a visit with a transcript that contains CANARY."""
        await self.submitted(visit_id)
        await self.collected(visit_id)

    async def collected(self, visit_id: str) -> None:
        """Collect the transcript of a visit whose transcription job is submitted."""
        (job,) = [each for each in self.transcriber.orders if each.visit_id == visit_id]
        self.transcriber.finish(job.transcript_id, Transcribed(spoken()))
        await collect.collect(self, visit_id, 1, job.transcript_id)

    async def completed(self, visit_id: str) -> None:
        """Make a visit with a summary."""
        await self.transcribed(visit_id)
        await summarize.summarize(self, visit_id, 1)

    async def given_up(self, visit_id: str) -> None:
        """Fail a transcribed visit without another try."""
        stored = await self.store.get(visit_id)
        assert stored is not None
        await save_event(self, stored, SummaryFailed(1, ErrorCode.SUMMARY_INVALID))

    async def partial(self, visit_id: str, code: ErrorCode = ErrorCode.SUMMARY_INVALID) -> None:
        """Make a visit with a transcript and a permanently failed summary."""
        await self.transcribed(visit_id)
        await self.not_summarized(visit_id, code)

    async def not_summarized(
        self, visit_id: str, code: ErrorCode = ErrorCode.SUMMARY_INVALID
    ) -> None:
        """Fail the summary of a transcribed visit by the model and by the rules."""
        self.summarizer.raises, self.fallback = [NotCharged(code)], NothingToSay()
        await summarize.summarize(self, visit_id, 1)

    async def not_summarized_again(self, visit_id: str) -> None:
        """Fail the second attempt at a summary."""
        self.summarizer.raises = [Permanent(ErrorCode.SUMMARY_INVALID)]
        self.fallback = NothingToSay()
        await summarize.summarize(self, visit_id, 2)

    async def unreadable(self, visit_id: str) -> None:
        """Make a visit with a file that is not a recording."""
        upload = self.uploaded_now(visit_id)
        self.audio.put(upload.audio, b"not a recording")
        await accept.accept(self, upload)

    async def silent(self, visit_id: str) -> None:
        """Make a visit with a readable recording that contains no speech."""
        await self.submitted(visit_id)
        (job,) = [each for each in self.transcriber.orders if each.visit_id == visit_id]
        self.transcriber.finish(job.transcript_id, Transcribed(transcript(())))
        await collect.collect(self, visit_id, 1, job.transcript_id)


def spoken() -> Transcript:
    return transcript((("A", f"Good morning, {CANARY}."), ("B", f"I have a {CANARY} cough.")))


def operator(services: OperatedServices, name: str = "olga") -> Operator:
    return Operator(name, services)
