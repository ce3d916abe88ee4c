"""One queue of Cloud Tasks: schedule, limits and retries. Pure: no I/O, the time is passed in.

    create ─► scheduled ─ take_due / run_now ─► in flight ─ finish ─► gone (2xx, or given up)
                  ▲                                  │
                  └────────── back-off ◄─────────────┘  any other response

The name of a task that is gone stays reserved for TOMBSTONE, so that no name is used twice.
"""

import heapq
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Literal

from google.api_core import exceptions
from google.cloud import tasks_v2
from google.rpc import status_pb2

from infra.local.cloud_tasks.rate import TokenBucket
from infra.local.google_api.http_target import Answer
from infra.local.google_api.retry import backoff, exhausted

# The service documents "about an hour or more", up to 24 h. This is the shortest documented time.
TOMBSTONE = timedelta(hours=1)

Outcome = Literal["done", "retry", "given up", "deleted meanwhile"]
State = tasks_v2.Queue.State


@dataclass(eq=False)
class _Record:
    """A task in the queue, with the facts about earlier attempts that the next attempt reports."""

    task: tasks_v2.Task
    ticket: int | None = None  # of the valid entry in the schedule; None while in flight
    execution_count: int = 0
    previous_response: int | None = None


@dataclass(frozen=True)
class Attempt:
    """One dispatch of a task; `task` is a copy of the task at the time of the dispatch."""

    task: tasks_v2.Task
    retry_count: int
    execution_count: int
    previous_response: int | None
    record: _Record = field(repr=False)


class Queue:
    """The tasks of one queue. `message` must be complete (see validation.py).

    Methods that take a task's name raise google.api_core.exceptions.NotFound for an unknown name.
    """

    def __init__(self, message: tasks_v2.Queue, now: datetime) -> None:
        self._records: dict[str, _Record] = {}
        self._schedule: list[tuple[datetime, int, _Record]] = []
        self._tickets = count()
        self._tombstones: OrderedDict[str, datetime] = OrderedDict()
        self._in_flight = 0
        self.configure(tasks_v2.Queue(message, state=State.RUNNING), now)

    def configure(self, message: tasks_v2.Queue, now: datetime) -> None:
        """Replace the limits and retry settings; the new settings apply from the next dispatch."""
        self.message = tasks_v2.Queue(message)
        limits = self.message.rate_limits
        self._bucket = TokenBucket(limits.max_dispatches_per_second, limits.max_burst_size, now)

    def pause(self) -> None:
        self.message = tasks_v2.Queue(self.message, state=State.PAUSED)

    def resume(self) -> None:
        self.message = tasks_v2.Queue(self.message, state=State.RUNNING)

    def create(self, task: tasks_v2.Task, now: datetime) -> tasks_v2.Task:
        """Add a validated, named task. Raises AlreadyExists for a name in use or used recently."""
        self._drop_old_tombstones(now)
        if task.name in self._records:
            raise exceptions.AlreadyExists("Requested entity already exists")
        if task.name in self._tombstones:
            raise exceptions.AlreadyExists(
                "The task cannot be created because a task with this name existed too recently."
            )
        record = _Record(tasks_v2.Task(task))
        record.task.create_time = now
        self._records[task.name] = record
        self._put(record, max(task.schedule_time or now, now))
        return tasks_v2.Task(record.task)

    def get(self, name: str) -> tasks_v2.Task:
        return tasks_v2.Task(self._record(name).task)

    def names(self) -> list[str]:
        return sorted(self._records)

    def delete(self, name: str, now: datetime) -> None:
        """Delete a task. An attempt in flight continues, but its response is ignored."""
        self._record(name)
        self._forget(name, now)

    def purge(self, now: datetime) -> None:
        """Delete every task immediately; the real service may take a minute."""
        for name in self.names():
            self._forget(name, now)
        self.message.purge_time = now

    def take_due(self, now: datetime) -> list[Attempt]:
        """Dispatch the due tasks that the state, the concurrency and the rate allow."""
        attempts: list[Attempt] = []
        while (
            self._may_dispatch()
            and (record := self._first_scheduled()) is not None
            and self._schedule[0][0] <= now
            and self._bucket.try_take(now)
        ):
            heapq.heappop(self._schedule)
            attempts.append(self._dispatch(record, now))
        return attempts

    def run_now(self, name: str, now: datetime) -> Attempt:
        """Dispatch a task regardless of its schedule, the limits, a pause or an attempt in flight.

        Source: the documentation of RunTask.
        """
        record = self._record(name)
        record.task.schedule_time = now
        return self._dispatch(record, now)

    def next_wake(self) -> datetime | None:
        """Return the time at which `take_due` may find a task; None if a change must come first."""
        if not self._may_dispatch() or self._first_scheduled() is None:
            return None
        return max(self._schedule[0][0], self._bucket.next_token_at())

    def finish(self, attempt: Attempt, answer: Answer, now: datetime) -> Outcome:
        """Record the response to an attempt: 2xx ends the task, any other schedules a retry.

        A task that has reached its retry limits is given up.
        """
        self._in_flight -= 1
        record, task = attempt.record, attempt.record.task
        if self._records.get(task.name) is not record:
            return "deleted meanwhile"
        task.last_attempt.response_status = status_pb2.Status(code=answer.rpc_code)
        record.previous_response = answer.code
        if answer.code is not None:
            task.last_attempt.response_time = now
            task.response_count += 1
            # The service's count "does not include failures due to 5XX error codes".
            record.execution_count += answer.code < 500
        if answer.succeeded:
            self._forget(task.name, now)
            return "done"
        retry = task.retry_config if "retry_config" in task else self.message.retry_config
        if exhausted(retry, task.dispatch_count, task.first_attempt.dispatch_time, now):
            self._forget(task.name, now)
            return "given up"
        wait = backoff(
            task.dispatch_count,
            min_backoff=retry.min_backoff,
            max_backoff=retry.max_backoff,
            max_doublings=retry.max_doublings,
        )
        self._put(record, now + wait)
        return "retry"

    def _may_dispatch(self) -> bool:
        limit = self.message.rate_limits.max_concurrent_dispatches
        return bool(self.message.state == State.RUNNING and self._in_flight < limit)

    def _put(self, record: _Record, at: datetime) -> None:
        record.ticket = next(self._tickets)
        record.task.schedule_time = at
        heapq.heappush(self._schedule, (at, record.ticket, record))

    def _first_scheduled(self) -> _Record | None:
        """Drop invalid entries from the top of the schedule, and return the first valid record."""
        while self._schedule:
            _, ticket, record = self._schedule[0]
            if record.ticket == ticket and self._records.get(record.task.name) is record:
                return record
            heapq.heappop(self._schedule)
        return None

    def _dispatch(self, record: _Record, now: datetime) -> Attempt:
        record.ticket = None
        self._in_flight += 1
        task = record.task
        task.dispatch_count += 1
        if task.dispatch_count == 1:
            task.first_attempt = tasks_v2.Attempt(dispatch_time=now)
        task.last_attempt = tasks_v2.Attempt(schedule_time=task.schedule_time, dispatch_time=now)
        return Attempt(
            task=tasks_v2.Task(task),
            retry_count=task.dispatch_count - 1,
            execution_count=record.execution_count,
            previous_response=record.previous_response,
            record=record,
        )

    def _record(self, name: str) -> _Record:
        if name not in self._records:
            raise exceptions.NotFound("The task is unknown, has been executed or was deleted.")
        return self._records[name]

    def _forget(self, name: str, now: datetime) -> None:
        del self._records[name]
        self._tombstones[name] = now + TOMBSTONE

    def _drop_old_tombstones(self, now: datetime) -> None:
        # Tombstones are sorted by their expiry, because all tombstones have the same lifetime.
        while self._tombstones and next(iter(self._tombstones.values())) <= now:
            self._tombstones.popitem(last=False)
