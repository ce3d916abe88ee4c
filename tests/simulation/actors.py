"""Who acts on a world: phones, the bucket's events, the queue, the scheduler, the webhook.

They call the entry points as `main.py` does, with the real replies, and treat an answer as the
platform's own machinery does.
"""

from collections.abc import Awaitable
from math import ceil

from starlette.exceptions import HTTPException

from lumimd import collecting, pipeline, recovery, replies
from lumimd.audio import Audio, Upload
from lumimd.errors import ErrorCode
from lumimd.ports import Running
from lumimd.records import ProcessingStatus, Visit
from tests.simulation.faults import Dependency
from tests.simulation.providers import BUCKET, Cloud, OrderedJob
from tests.simulation.world import START, World

FINALIZE_LIMIT_S = 60.0
EVENT_KEPT_S = 24 * 3600.0
UPLOADS_WITHIN_S = 1200.0


class Phones:
    """The owners: they upload, edit, upload again, retry and cancel."""

    def __init__(self, world: World, cloud: Cloud, events: "StorageEvents") -> None:
        self._world, self._cloud, self._events = world, cloud, events
        self.visit_ids = [f"v{number}" for number in range(world.options.visits)]
        self.titles: dict[str, str] = {}
        self.last_action_at = 0.0

    def plan(self) -> None:
        """Put the days of all owners into the calendar."""
        world, chance = self._world, self._world.faults.chance
        for visit_id in self.visit_ids:
            at = world.rng.uniform(0, UPLOADS_WITHIN_S)
            created_at = at
            if world.rng.random() < 0.2:
                created_at *= world.rng.random()
                self._at(created_at, self._create, visit_id)
            self._at(at, self._upload, visit_id)
            for _ in range(2):
                if chance("replaced"):
                    self._at(at + self._sometime(), self._upload, visit_id)
            for _ in range(3):
                if chance("edited"):
                    self._at(at + self._sometime(), self._edit, visit_id)
            if chance("retried"):
                for _ in range(3):
                    self._at(at + self._sometime(), self._retry, visit_id)
            if chance("cancelled"):
                begins = world.rng.choice((created_at, at))
                self._at(begins + self._sometime(), self._cancel, visit_id)

    def _sometime(self) -> float:
        return self._world.rng.choice((5.0, 120.0, 600.0, 7200.0)) * self._world.rng.random()

    def _at(self, when: float, what: object, visit_id: str) -> None:
        self.last_action_at = max(self.last_action_at, when)
        self._world.loop.call_at(when, what, visit_id)  # type: ignore[arg-type]

    def _create(self, visit_id: str) -> None:
        if self._world.documents.get(visit_id) is None:
            now = self._world.now()
            visit = Visit(visit_id=visit_id, user_id="user", created_at=now, updated_at=now)
            self._world.documents._put(None, visit)
            self._world.note("owner", visit_id, "creates the visit")

    def _upload(self, visit_id: str) -> None:
        world, bucket = self._world, self._cloud.bucket
        path = f"visits/user/{visit_id}/audio.m4a"
        generation = bucket.newest.get(path, 0) + world.rng.randint(1, 3)
        bucket.newest[path] = generation
        flaw = world.faults.chance("bad_recording") and world.rng.choice(("ours", "theirs", "mute"))
        if flaw == "ours":
            bucket.flaws[path, generation] = ErrorCode.AUDIO_UNREADABLE
        elif flaw == "theirs":
            self._cloud.transcriptions.refused.add((path, generation))
        elif flaw == "mute":
            self._cloud.transcriptions.silent.add((path, generation))
        audio = Audio(
            bucket=BUCKET,
            storage_path=path,
            generation=generation,
            content_type="audio/mp4",
            size_bytes=1_000_000,
        )
        upload = Upload(user_id="user", visit_id=visit_id, audio=audio, announced_at=world.now())
        world.note("owner", visit_id, "uploads generation", generation)
        self._events.publish(upload)

    def _edit(self, visit_id: str) -> None:
        if self._world.documents.get(visit_id) is not None:
            self.titles[visit_id] = title = f"title {next(self._world.ids)}"
            self._world.documents.edit(visit_id, title=title)
            self._world.note("owner", visit_id, "edits", title)

    def _retry(self, visit_id: str) -> None:
        self._ask("retry", visit_id)

    def _cancel(self, visit_id: str) -> None:
        self._ask("cancel", visit_id)

    def _ask(self, action: str, visit_id: str) -> None:
        act = getattr(pipeline, action, None)
        if act is not None:
            before = self._world.documents.get(visit_id)
            self._world.note("owner", visit_id, action)

            def on_reply(status: int) -> None:
                if status == 200 and before is not None:
                    self._check_obeyed(action, before.visit)

            self._world.invoke(
                action,
                lambda parts: _task(act(parts, visit_id)),
                visit_id=visit_id,
                limit_s=60.0,
                patience_s=60.0,
                on_reply=on_reply,
            )

    def _check_obeyed(self, action: str, before: Visit) -> None:
        """What was promised to the owner is done."""
        stored = self._world.documents.get(before.visit_id)
        if stored is None or stored.visit.attempt != before.attempt:
            return
        if stored.visit.audio is None or before.audio is None:
            return  # a first recording begins what was cancelled, in the same attempt
        status = stored.visit.processing_status
        is_obeyed = (
            status.is_terminal
            if action == "cancel"
            else (before.processing_status is not ProcessingStatus.FAILED)
        )
        if not is_obeyed:
            self._world.breach(f"{action}Ignored", before.visit_id, f"it is {status}")


class StorageEvents:
    """Finalize events: at least once, in any order, again after a failure, for a day."""

    def __init__(self, world: World, cloud: Cloud) -> None:
        self._world, self._cloud = world, cloud
        self.first_delivered: dict[tuple[str, int], float] = {}

    def publish(self, upload: Upload) -> None:
        """Deliver it some time, perhaps twice."""
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
            lambda parts: _event(pipeline.accept(parts, upload)),
            visit_id=upload.visit_id,
            limit_s=FINALIZE_LIMIT_S,
            patience_s=FINALIZE_LIMIT_S,
            on_reply=on_reply,
        )


class Webhook:
    """The provider tells that a job has ended: ten tries, ten seconds apart, unless told 4xx."""

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
            # Somebody who knows our secret names another visit's job.
            other = world.rng.choice(list(world.documents.visits.values())).visit
            world.note("provider", other.visit_id, "fault", f"mixed up with {job.transcript_id}")
            world.after(0.0, self._deliver, other.visit_id, other.attempt, job, self.TRIES)

    def _deliver(self, visit_id: str, attempt: int, job: OrderedJob, tries: int) -> None:
        world = self._world
        before = world.documents.get(visit_id)
        # News from the provider itself is a reason to ask it before the time it asked for.
        world.asked_to_wait.pop((Dependency.TRANSCRIPTION, visit_id, attempt), None)

        def on_reply(status: int) -> None:
            if status == 200:
                self._check_acknowledged(visit_id, attempt, job, before is not None)
            elif not 400 <= status < 500 and tries < self.TRIES:
                world.after(10.0, self._deliver, visit_id, attempt, job, tries + 1)

        world.invoke(
            "webhook",
            lambda parts: _webhook(
                collecting.collect_in_time(parts, visit_id, attempt, job.transcript_id)
            ),
            visit_id=visit_id,
            attempt=attempt,
            patience_s=self.PATIENCE_S,
            on_reply=on_reply,
        )

    def _check_acknowledged(
        self, visit_id: str, attempt: int, job: OrderedJob, was_there: bool
    ) -> None:
        """A webhook that was answered with 200 is dealt with, or the visit is due at once."""
        stored = self._world.documents.get(visit_id)
        if not was_there or stored is None or job.visit_id != visit_id or job.gone:
            return
        visit = stored.visit
        if visit.attempt != attempt or isinstance(job.state, Running) or visit.audio is None:
            return
        if job.generation != visit.audio.generation:
            return
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
    """Delivers tasks at least once, in any order; some get lost."""

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
            world.after(_delay_s(world), self._deliver, visit_id, attempt, 0)

    def _check_saved_first(self, visit_id: str, attempt: int, request: int) -> None:
        """Effects come after the save: a task that runs at once must find its visit."""
        stored = self._world.documents.get(visit_id)
        visit = stored.visit if stored else None
        if visit is None or (visit.attempt, visit.requests) < (attempt, request):
            self._world.breach("effectBeforeSave", visit_id, f"task {attempt}/{request}")

    def _deliver(self, visit_id: str, attempt: int, tries: int) -> None:
        world = self._world

        def on_reply(status: int) -> None:
            if not 200 <= status < 300 and tries < 30:
                world.after(min(300.0, 5.0 * 2**tries), self._deliver, visit_id, attempt, tries + 1)

        world.invoke(
            "summarize",
            lambda parts: _task(pipeline.summarize(parts, visit_id, attempt)),
            visit_id=visit_id,
            attempt=attempt,
            on_reply=on_reply,
        )


class Scheduler:
    """A tick a minute. A tick at which nothing is due would find nothing, and is left out."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._next_minute: int | None = None
        world.on_wake_up = self._arm

    def _arm(self) -> None:
        first = self._world.documents.first_wake_at()
        if first is None:
            return
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
                self._world.invoke("wake", lambda parts: _task(recovery.wake_due(parts)))
        self._arm()


async def _task(work: Awaitable[object]) -> int:
    return (await replies.reply_to_task(work)).status_code


async def _webhook(work: Awaitable[object]) -> int:
    return (await replies.reply_to_webhook(work)).status_code


async def _event(work: Awaitable[None]) -> int:
    try:
        await replies.acknowledge_event(work)
    except HTTPException as error:
        return error.status_code
    return 200


def _delay_s(world: World) -> float:
    if world.faults.chance("delayed_hours"):
        return world.rng.uniform(0.5, 6) * 3600
    if world.faults.chance("delayed"):
        return world.rng.uniform(1, 600)
    return world.rng.random()
