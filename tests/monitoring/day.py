"""Runs a day of the pipeline: real entry points, services in memory, successes and failures."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from lumimd.adapters.memory import MemoryTranscriber
from lumimd.coordination.breaker.breaker import CircuitBreaker
from lumimd.coordination.breaker.guarded import GuardedSummarizer, GuardedTranscriber
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import DeploymentFault, Permanent, ProviderRefuses, Transient
from lumimd.domain.state_machine import retry_event
from lumimd.domain.visit import ProcessingStatus, Visit
from lumimd.pipeline.save import save_event
from lumimd.pipeline.visit_counts import count_visits
from lumimd.policies.breaker import MODEL, TRANSCRIPTION, Breaker, BreakerPolicy
from lumimd.ports.transcriber import Failed, Transcribed
from lumimd.stores.visit_counts import VisitCounts
from tests.flow.conftest import Functions
from tests.support.services import CountingSummarizer, transcript
from tests.support.shared_documents import in_memory

MINUTE = timedelta(minutes=1)
HEARD = Transcribed(transcript())
REFUSED = Failed(ErrorCode.TRANSCRIPTION_FAILED, is_transient=False)


@dataclass
class Day:
    """Calls the entry points during a day, with circuit breakers around the stub providers."""

    functions: Functions
    transcriber: MemoryTranscriber
    summarizer: CountingSummarizer

    @classmethod
    def begun(cls, functions: Functions) -> "Day":
        services, breakers = functions.services, in_memory(Breaker)

        def breaker(policy: BreakerPolicy) -> CircuitBreaker:
            return CircuitBreaker(policy, breakers, services.clock, services.new_id)

        day = cls(functions, services.transcriber, services.summarizer)
        services.transcriber = GuardedTranscriber(  # type: ignore[assignment]
            day.transcriber, breaker(TRANSCRIPTION)
        )
        services.summarizer = GuardedSummarizer(  # type: ignore[assignment]
            day.summarizer, breaker(MODEL)
        )
        return day

    async def visit(self, visit_id: str) -> Visit:
        stored = await self.functions.services.store.get(visit_id)
        assert stored
        return stored.visit

    async def uploads(self, visit_id: str) -> None:
        await self.functions.finalize(self.functions.services.upload(visit_id), f"event-{visit_id}")

    async def job_ends(self, visit_id: str, state: Transcribed | Failed = HEARD) -> None:
        """Let the provider finish the newest job of the visit, and deliver the webhook."""
        order = next(o for o in reversed(self.transcriber.orders) if o.visit_id == visit_id)
        self.transcriber.finish(order.transcript_id, state)
        await self.functions.webhook(visit_id, order.attempt, order.transcript_id)

    async def minutes_pass(self, minutes: int, *, scheduler: bool = True) -> None:
        """Advance by minutes; in every minute, call the scheduled function and run queued tasks."""
        services = self.functions.services
        for _ in range(minutes):
            services.clock.advance(MINUTE)
            if scheduler:
                await self.functions.wake()
                await count_visits(VisitCounts(services.store.database), services.clock.now())
            await self.functions.run_tasks()

    async def retried(self, visit_id: str) -> None:
        stored = await self.functions.services.store.get(visit_id)
        assert stored
        await save_event(self.functions.services, stored, retry_event(stored.visit))

    @asynccontextmanager
    async def model_is_away(self) -> AsyncIterator[None]:
        self.summarizer.raises = [Transient(ErrorCode.SUMMARY_UNAVAILABLE)] * 10_000
        yield
        self.summarizer.raises = []

    @asynccontextmanager
    async def key_is_wrong(self) -> AsyncIterator[None]:
        refused = ProviderRefuses(ErrorCode.SUMMARY_UNAVAILABLE, DeploymentFault.KEY_REFUSED)
        self.summarizer.raises = [refused] * 10_000
        yield
        self.summarizer.raises = []

    async def is_written_by_a_newer_release(self, visit_id: str) -> None:
        """Make the visit due, in a step that this release does not know."""
        services = self.functions.services
        stored = services.store.raw[f"visits/{visit_id}"]
        newer = {"currentStep": "of_a_newer_release", "wakeAt": services.clock.now()}
        services.store.raw[f"visits/{visit_id}"] = {**stored, **newer}

    @asynccontextmanager
    async def queue_is_broken(self) -> AsyncIterator[None]:
        async def broken(*_: object) -> list[object]:
            raise ValueError

        admission = self.functions.services.admission
        working = admission.admit_waiting
        admission.admit_waiting = broken  # type: ignore[assignment]
        yield
        admission.admit_waiting = working  # type: ignore[method-assign]


async def live(day: Day) -> None:
    """Cause every event that a dashboard shows."""
    for number in range(5):
        await day.uploads(f"good-{number}")
        await day.minutes_pass(2)
        await day.job_ends(f"good-{number}")
        await day.minutes_pass(1)

    await day.uploads("stubborn")
    for _ in range(5):
        await day.job_ends("stubborn", REFUSED)
        assert (await day.visit("stubborn")).processing_status is ProcessingStatus.FAILED
        await day.retried("stubborn")
        await day.minutes_pass(1)
    await day.job_ends("stubborn")
    await day.minutes_pass(1)

    await day.uploads("hopeless")
    await day.job_ends("hopeless", REFUSED)

    async with day.model_is_away():
        for number in range(6):
            await day.uploads(f"unlucky-{number}")
            await day.job_ends(f"unlucky-{number}")
        await day.minutes_pass(20)
    await day.minutes_pass(20)

    await day.uploads("refused")
    day.summarizer.raises = [Permanent(ErrorCode.SUMMARY_REFUSED)]
    await day.job_ends("refused")
    await day.minutes_pass(1)

    await day.uploads("forgotten")
    await day.minutes_pass(30, scheduler=False)
    await day.minutes_pass(1)
    await day.job_ends("forgotten")
    await day.minutes_pass(30)

    async with day.key_is_wrong():
        await day.uploads("waiting")
        await day.job_ends("waiting")
        await day.minutes_pass(3)
    await day.minutes_pass(20)

    await day.functions.webhook("good-0", secret="a-stranger-s-secret")

    await day.functions.retain()
    await day.is_written_by_a_newer_release("good-1")
    async with day.queue_is_broken():
        await day.minutes_pass(1)
