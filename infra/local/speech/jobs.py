"""Keeps the transcription jobs, in order of submission."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Literal

from infra.local.speech.recognition import Recognition

Status = Literal["queued", "processing", "completed", "error"]
STATUSES: tuple[Status, ...] = ("queued", "processing", "completed", "error")


@dataclass(slots=True)
class Delivery:
    """One attempt to deliver a webhook. `status` is None if no response came in time."""

    copy: int
    attempt: int
    status: int | None


@dataclass(slots=True)
class Job:
    """One submitted transcription job. Times are UTC."""

    params: Mapping[str, Any]
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    status: Status = "queued"
    completed_at: datetime | None = None
    recognition: Recognition | None = None
    error: str | None = None
    deleted: bool = False
    deliveries: list[Delivery] = field(default_factory=list)

    @property
    def audio_url(self) -> str:
        return str(self.params["audio_url"])

    @property
    def webhook_url(self) -> str | None:
        url = self.params.get("webhook_url")
        return None if url is None else str(url)

    @property
    def is_over(self) -> bool:
        return self.status in ("completed", "error")

    def complete(self, recognition: Recognition) -> None:
        self.recognition = recognition
        self.completed_at = datetime.now(UTC)
        self.status = "completed"

    def fail(self, message: str) -> None:
        # According to the example in its documentation, the real service leaves `completed` empty
        # for failed jobs.
        self.error = message
        self.status = "error"


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The query of GET /v2/transcript."""

    limit: int = 10
    status: Status | None = None
    created_on: date | None = None
    before_id: str | None = None
    after_id: str | None = None
    throttled_only: bool = False

    def matches(self, job: Job) -> bool:
        return (
            not self.throttled_only  # this server throttles no job
            and (self.status is None or job.status == self.status)
            and (self.created_on is None or job.created_at.date() == self.created_on)
        )


@dataclass(frozen=True, slots=True)
class Page:
    """One page of jobs, newest first, and whether older or newer jobs match the filter too."""

    jobs: list[Job]
    has_older: bool = False
    has_newer: bool = False


class UnknownJob(LookupError):
    """No job has this id."""


class JobBook:
    """All jobs since the start or the last reset, in memory."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    def add(self, job: Job) -> None:
        self._jobs[job.id] = job

    def get(self, job_id: str) -> Job:
        """Return the job with this id. Raises UnknownJob."""
        try:
            return self._jobs[job_id]
        except KeyError as missing:
            raise UnknownJob(job_id) from missing

    def all(self) -> list[Job]:
        """Return all jobs, oldest first."""
        return list(self._jobs.values())

    def clear(self) -> None:
        self._jobs.clear()

    def page(self, query: ListQuery) -> Page:
        """Return the newest jobs, or the jobs just older than `before_id` or newer than `after_id`.

        With both ids the page ends next to `before_id`. Raises UnknownJob if an id is unknown.
        """
        order = {job_id: place for place, job_id in enumerate(self._jobs)}
        for bound in (query.before_id, query.after_id):
            if bound is not None and bound not in order:
                raise UnknownJob(bound)
        matching = [job for job in self._jobs.values() if query.matches(job)]
        upper = order[query.before_id] if query.before_id is not None else len(order)
        lower = order[query.after_id] if query.after_id is not None else -1
        within = [job for job in matching if lower < order[job.id] < upper]
        from_below = query.after_id is not None and query.before_id is None
        chosen = within[: query.limit] if from_below else within[-query.limit :]
        if not chosen:
            return Page([])
        oldest, newest = order[chosen[0].id], order[chosen[-1].id]
        return Page(
            chosen[::-1],
            has_older=any(order[job.id] < oldest for job in matching),
            has_newer=any(order[job.id] > newest for job in matching),
        )
