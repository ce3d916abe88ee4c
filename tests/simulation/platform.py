"""Simulates the platform: bucket events, the queue, the scheduler, and the provider's webhook.

These parts call the entry points as `main.py` does, with the real responses, and react to each
response as the real platform does.
"""

from collections.abc import Awaitable
from math import ceil
from typing import Final

from starlette.exceptions import HTTPException

from lumimd.domain.audio import Upload
from lumimd.domain.visit import ProcessingStatus
from lumimd.pipeline import accept, collect, recover, retain, summarize
from lumimd.pipeline.reconcile import AT_HOUR
from lumimd.ports.transcriber import Running
from lumimd.runtime import responses
from tests.simulation.cloud import Cloud
from tests.simulation.faults import Dependency
from tests.simulation.transcription import OrderedJob
from tests.simulation.world import START, World

FINALIZE_LIMIT_S: Final = 60.0
EVENT_KEPT_S: Final = 24 * 3600.0


class StorageEvents:
    """Delivers finalize events at least once, in any order, with retries for a day."""

    def __init__(self, world: World, cloud: Cloud) -> None:
        self._world, self._cloud = world, cloud
        self.first_delivered: dict[tuple[str, int], float] = {}

    def publish(self, upload: Upload) -> None:
        """Deliver the event after a random delay, perhaps twice."""
        for _ in range(2 if self._world.faults.chance("duplicate") else 1):
            self._world.after(
                _delay_s(self._world), self._deliver, upload, 0, self._world.loop.time()
            )

    def _deliver(self, upload: Upload, tries: int, published_at: float) -> None:
        world = self._world
        self.first_delivered.setdefault(
            (upload.visit_id, upload.audio.generation), world.loop.time()
        )

        def on_reply(status: int) -> None:
            backoff_s = min(600.0, 10.0 * 2**tries) * world.rng.uniform(1.0, 1.3)
            if status == 200:
                return
            if world.loop.time() + backoff_s < published_at + EVENT_KEPT_S:
                world.after(backoff_s, self._deliver, upload, tries + 1, published_at)

        world.invoke(
            "accept",
            lambda services: _event(accept.accept(services, upload)),
            visit_id=upload.visit_id,
            limit_s=FINALIZE_LIMIT_S,
            patience_s=FINALIZE_LIMIT_S,
            on_reply=on_reply,
        )


class Webhook:
    """Delivers the provider's webhook: ten tries, ten seconds apart, until a 200 or a 4xx."""

    TRIES = 10
    PATIENCE_S = 10.0

    def __init__(self, world: World, cloud: Cloud) -> None:
        self._world, self._cloud = world, cloud
        cloud.transcriptions.on_ended = self._send

    def _send(self, job: OrderedJob) -> None:
        world = self._world
        if world.faults.chance("lost"):
            world.note("provider", job.visit_id, "fault", "webhook lost")
            return
        for _ in range(2 if world.faults.chance("duplicate") else 1):
            world.after(_delay_s(world), self._deliver, job.visit_id, job.attempt, job, 1)
        if world.faults.chance("mixed_up"):
            # Mix up the calls: a caller with the right secret names the job of another visit.
            others = list(world.documents.visits.values())
            if not others:
                return
            other = world.rng.choice(others).visit
            world.note("provider", other.visit_id, "fault", f"mixed up with {job.transcript_id}")
            world.after(0.0, self._deliver, other.visit_id, other.attempt, job, self.TRIES)

    def _deliver(self, visit_id: str, attempt: int, job: OrderedJob, tries: int) -> None:
        world = self._world
        before = world.documents.get(visit_id)
        # After a webhook the pipeline may call the provider before Retry-After has passed.
        world.network.asked_to_wait.pop((Dependency.TRANSCRIPTION, visit_id, attempt), None)

        def on_reply(status: int) -> None:
            if status == 200:
                self._check_acknowledged(visit_id, attempt, job, before is not None)
            elif not 400 <= status < 500 and tries < self.TRIES:
                world.after(10.0, self._deliver, visit_id, attempt, job, tries + 1)

        world.invoke(
            "webhook",
            lambda services: _webhook(
                collect.collect_in_time(services, visit_id, attempt, job.transcript_id)
            ),
            visit_id=visit_id,
            attempt=attempt,
            patience_s=self.PATIENCE_S,
            on_reply=on_reply,
        )

    def _check_acknowledged(
        self, visit_id: str, attempt: int, job: OrderedJob, was_there: bool
    ) -> None:
        """Check that after a 200 to the webhook the job is collected or the visit is due."""
        stored = self._world.documents.get(visit_id)
        if not was_there or stored is None or job.visit_id != visit_id or job.gone:
            return
        visit = stored.visit
        if visit.attempt != attempt or isinstance(job.state, Running) or visit.audio is None:
            return
        if job.generation != visit.audio.generation:
            return
        if job.deleted and visit_id in self._world.documents.restored:
            return  # the job was deleted with the visit, and the backup did not restore it
        if visit.transcription and visit.transcription.transcript_id != job.transcript_id:
            return
        is_open = visit.processing_status in (
            ProcessingStatus.PENDING,
            ProcessingStatus.TRANSCRIBING,
        )
        is_due = visit.wake_at is not None and visit.wake_at <= self._world.now()
        if is_open and not is_due and visit.attempt == attempt:
            self._world.breach(
                "acknowledgedWebhookForgotten",
                visit_id,
                f"{job.transcript_id} has ended, and the visit is {visit.processing_status}",
            )


class Queue:
    """Delivers tasks at least once, in any order; some tasks get lost."""

    def __init__(self, world: World, cloud: Cloud) -> None:
        self._world, self._cloud = world, cloud
        cloud.tasks.on_created = self._created

    def _created(self, visit_id: str, attempt: int, request: int) -> None:
        world = self._world
        self._check_saved_first(visit_id, attempt, request)
        if world.faults.chance("lost"):
            world.note("queue", visit_id, "fault", f"task {attempt}/{request} lost")
            return
        for _ in range(2 if world.faults.chance("duplicate") else 1):
            waits_s = world.rng.uniform(1, 3) * 3600 if world.has_backlog else 0.0
            delay_s = waits_s + _delay_s(world)
            world.after(delay_s, self._deliver, visit_id, attempt, request, 0)

    def _check_saved_first(self, visit_id: str, attempt: int, request: int) -> None:
        """Check that a task finds its visit saved, even if the task runs at once."""
        if visit_id in self._world.documents.receipts:
            return
        stored = self._world.documents.get(visit_id)
        visit = stored.visit if stored else None
        if visit is None or (visit.attempt, visit.requests) < (attempt, request):
            self._world.breach("effectBeforeSave", visit_id, f"task {attempt}/{request}")

    def _deliver(self, visit_id: str, attempt: int, request: int, tries: int) -> None:
        world = self._world
        if (visit_id, attempt, request) in self._cloud.tasks.forgotten:
            return

        def on_reply(status: int) -> None:
            if not 200 <= status < 300 and tries < 30:
                pause_s = min(300.0, 5.0 * 2**tries)
                world.after(pause_s, self._deliver, visit_id, attempt, request, tries + 1)

        world.invoke(
            "summarize",
            lambda services: _task(summarize.summarize(services, visit_id, attempt)),
            visit_id=visit_id,
            attempt=attempt,
            on_reply=on_reply,
        )


class Scheduler:
    """Calls the scheduled function every minute at which a visit is due or in the fair queue."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._next_minute: int | None = None
        world.on_wake_up = self._arm

    def _arm(self) -> None:
        first = self._world.documents.first_wake_at()
        if first is None:
            return
        if self._world.documents.queued:
            first = self._world.now()
        due_s = (first - START).total_seconds()
        minute = max(int(self._world.loop.time() // 60) + 1, ceil(due_s / 60))
        if self._next_minute is None or minute < self._next_minute:
            self._next_minute = minute
            self._world.loop.call_at(minute * 60.0, self._tick, minute)

    def _tick(self, minute: int) -> None:
        if minute != self._next_minute:
            return
        self._next_minute = None
        if not self._world.faults.chance("tick_skipped"):
            for _ in range(2 if self._world.faults.chance("tick_repeated") else 1):
                self._world.invoke("wake", lambda services: _task(recover.wake_due(services)))
        self._arm()


class Retention:
    """Makes the hourly retention run, but only at night and when unfinished visits can expire."""

    def __init__(self, world: World) -> None:
        nights = [60.0 + (AT_HOUR - START.hour + 24 * day) * 3600.0 for day in (0, 1, 2)]
        expiry = world.policy.expires_after.total_seconds()
        for at in (*nights, *(expiry + hour * 3600.0 for hour in range(1, 6))):
            if at > 0:
                world.loop.call_at(at, self._run, world)

    def _run(self, world: World) -> None:
        world.invoke("retention", lambda services: _task(retain.hourly(services)))


async def _task(work: Awaitable[object]) -> int:
    return (await responses.reply_to_task(work)).status_code


async def _webhook(work: Awaitable[object]) -> int:
    return (await responses.reply_to_webhook(work)).status_code


async def _event(work: Awaitable[None]) -> int:
    try:
        await responses.acknowledge_event(work)
    except HTTPException as error:
        return error.status_code
    return 200


def _delay_s(world: World) -> float:
    if world.faults.chance("delayed_hours"):
        return world.rng.uniform(0.5, 6) * 3600
    if world.faults.chance("delayed"):
        return world.rng.uniform(1, 600)
    return world.rng.random()
