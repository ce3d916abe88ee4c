"""Runs a pipeline in memory that advances by the minute and reacts to an operator's changes.

A schedule that is not paused makes its calls, a queue that is not paused dispatches its tasks, and
real circuit breakers guard the stub providers.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property

from lumimd.adapters.memory.controls import MemoryQueues, MemorySchedules
from lumimd.adapters.memory.transcriber import MemoryTranscriber
from lumimd.coordination.breaker.breaker import CircuitBreaker, first_refusal
from lumimd.coordination.breaker.guarded import GuardedSummarizer, GuardedTranscriber
from lumimd.domain.errors import Held
from lumimd.domain.transcript import Transcript
from lumimd.domain.visit import Stage, Visit
from lumimd.pipeline import accept, recover, retain, summarize
from lumimd.policies.breaker import MODEL, ORDERS, TRANSCRIPTION, BreakerPolicy
from lumimd.ports.service_controls import QueueState, RunState, ScheduleState
from lumimd.ports.summarizer import Summarizer
from lumimd.ports.transcriber import Transcribed
from tests.support.operators import QUEUE, SCHEDULE, OperatedServices, spoken
from tests.support.services import CountingSummarizer, transcript

MINUTE = timedelta(minutes=1)
RETENTION = "enforce-retention"


class Provider(MemoryTranscriber):
    """A stub transcriber that answers at once, or raises `trouble`; `silent` visits lack speech."""

    def __init__(self) -> None:
        super().__init__(lambda visit_id: Transcribed(self._heard(visit_id)))
        self.trouble: Exception | None = None
        self.silent: set[str] = set()

    def _heard(self, visit_id: str) -> Transcript:
        return transcript(()) if visit_id in self.silent else spoken()

    def _answer(self) -> None:
        if self.trouble is not None:
            raise self.trouble

    async def submit(self, audio_url: str, *, visit_id: str, attempt: int) -> str:
        self._answer()
        return await super().submit(audio_url, visit_id=visit_id, attempt=attempt)

    async def fetch(self, transcript_id: str):
        self._answer()
        return await super().fetch(transcript_id)


class Model(CountingSummarizer):
    """A stub summarizer that raises `trouble`, if set."""

    trouble: Exception | None = None

    async def summarize(self, transcript: Transcript):
        if self.trouble is not None:
            self.calls += 1
            raise self.trouble
        return await super().summarize(transcript)


class LiveSchedules(MemorySchedules):
    """Stub schedules whose calls really run when the schedule runs, also for an operator."""

    def __init__(self, **calls: Callable[[], Awaitable[object]]) -> None:
        self._calls = {name.replace("_", "-"): call for name, call in calls.items()}
        super().__init__(*self._calls)

    async def run(self, name: str) -> ScheduleState:
        await super().run(name)
        try:
            await self._calls[name]()
            code = 0
        except Exception:  # like the real scheduler, keep only a status code
            code = 14
        changed = self._schedules[name].model_copy(update={"last_code": code})
        self._schedules[name] = changed
        return changed


@dataclass
class LiveServices(OperatedServices):
    """The services of the pipeline and of operators; `minutes` advances their time."""

    provider: Provider = field(default_factory=Provider)
    model: Model = field(default_factory=Model)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._guards = {
            Stage.SUBMISSION: (self._breaker(ORDERS), self._breaker(TRANSCRIPTION)),
            Stage.SUMMARY: (self._breaker(MODEL),),
        }
        orders, transcription = self._guards[Stage.SUBMISSION]
        self._guards[Stage.TRANSCRIPTION] = (transcription,)
        self.transcriber = GuardedTranscriber(self.provider, transcription, orders)
        self.guarded: Summarizer = GuardedSummarizer(self.model, *self._guards[Stage.SUMMARY])
        self.summarizer = self.guarded
        self.queues: MemoryQueues = LiveQueues(self)
        self.schedules = LiveSchedules(
            wake_due_visits=lambda: recover.wake_due(self),
            enforce_retention=lambda: retain.hourly(self),
        )

    @cached_property
    def owner_queries(self) -> None:  # the rehearsals call no route of the API
        return None

    def _breaker(self, policy: BreakerPolicy) -> CircuitBreaker:
        return CircuitBreaker(policy, self.breakers, self.clock, self.new_id)

    async def refusal(self, stage: Stage, unanswered_since=None) -> Held | None:
        return await first_refusal(self._guards[stage], unanswered_since)

    async def uploaded(self, *visit_ids: str) -> None:
        """Upload a recording for each visit, and deliver its event."""
        for visit_id in visit_ids:
            await accept.accept(self, self.uploaded_now(visit_id))

    async def minutes(self, count: int = 1) -> None:
        """Advance by minutes: make the scheduled call and dispatch the tasks, unless paused."""
        for _ in range(count):
            self.clock.advance(MINUTE)
            if await self._is_running(SCHEDULE):
                await self.schedules.run(SCHEDULE)
            await self._dispatch()

    async def _is_running(self, name: str) -> bool:
        states = {each.name: each.state for each in await self.schedules.all()}
        return states[name] is RunState.RUNNING

    async def _dispatch(self) -> None:
        (queue,) = await self.queues.all()
        if queue.state is not RunState.RUNNING:
            return
        for _ in range(self.tasks.waiting.qsize()):
            task = self.tasks.waiting.get_nowait()
            await summarize.summarize(self, task.visit_id, task.attempt)

    async def ended(self, *visit_ids: str) -> list[Visit]:
        """Advance until all visits have ended, at most by a day; return the visits."""
        for _ in range(24 * 60):
            visits = [await self.get(visit_id) for visit_id in visit_ids]
            if all(visit.processing_status.is_terminal for visit in visits):
                return visits
            await self.minutes()
        raise AssertionError(f"not at their end: {visit_ids}")


class LiveQueues(MemoryQueues):
    """The stub of the only queue, with the number of its waiting tasks."""

    def __init__(self, services: LiveServices) -> None:
        super().__init__(QUEUE)
        self._services = services

    async def all(self) -> list[QueueState]:
        waiting = self._services.tasks.waiting.qsize()
        return [each.model_copy(update={"waiting": waiting}) for each in await super().all()]
