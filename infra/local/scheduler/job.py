"""One job of Cloud Scheduler: schedule and retries. Pure: no I/O, the time is passed in.

A due tick starts a run when no run is in flight. All ticks that are due during a run start a single
run after it. A failed run is retried up to `retry_count` times, as long as the retry is before the
next tick.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim
from google.api_core import exceptions
from google.cloud import scheduler_v1
from google.rpc import status_pb2

from infra.local.google_api.http_target import Answer
from infra.local.google_api.retry import backoff

State = scheduler_v1.Job.State


@dataclass(frozen=True)
class Run:
    """One attempt to run `job` for the tick at `scheduled_at`, after `retries` earlier attempts."""

    job: scheduler_v1.Job
    scheduled_at: datetime
    retries: int
    forced: bool


def cron_tick(schedule: str, time_zone: str, after: datetime) -> datetime:
    """Return the first instant (UTC) after `after` that matches the unix-cron `schedule`.

    The schedule is in `time_zone`. Raises cronsim.CronSimError for a bad expression, and
    StopIteration for an expression that never matches; a validated job causes neither.
    """
    return next(CronSim(schedule, after.astimezone(ZoneInfo(time_zone)))).astimezone(UTC)


class ScheduledJob:
    """A job and the job's next run. `message` must be complete (see `service.checked_job`).

    With `every`, the job ticks at that interval and ignores its schedule.
    """

    def __init__(
        self, message: scheduler_v1.Job, now: datetime, every: timedelta | None = None
    ) -> None:
        self._every = every
        self._in_flight = 0
        self.configure(scheduler_v1.Job(message, state=State.ENABLED), now)

    def configure(self, message: scheduler_v1.Job, now: datetime) -> None:
        """Replace the definition of the job; the next tick is the first tick after `now`."""
        self.message = scheduler_v1.Job(message, user_update_time=now)
        self._tick = now
        self._advance(now)

    def pause(self) -> None:
        """Pause the job. Raises FailedPrecondition unless the job is enabled."""
        self._change_state(State.ENABLED, State.PAUSED)

    def resume(self, now: datetime) -> None:
        """Enable the job from the next tick; missed ticks do not start a run.

        Raises FailedPrecondition unless the job is paused.
        """
        self._change_state(State.PAUSED, State.ENABLED)
        self._advance(now)

    def take_due(self, now: datetime) -> list[Run]:
        """Start and return the due run if it may start; ticks missed before `now` count as one."""
        if self._waits() or self.message.schedule_time > now:
            return []
        run = self._start(self._retry or self._new_run(self._tick), now)
        if run.retries == 0:
            self._advance(now)
        else:
            self._set_retry(None)
        return [run]

    def run_now(self, now: datetime) -> Run:
        """Start a run for RunJob, also if the job is paused or a run is in flight."""
        return self._start(self._new_run(now, forced=True), now)

    def next_wake(self) -> datetime | None:
        return None if self._waits() else self.message.schedule_time

    def finish(self, run: Run, answer: Answer, now: datetime) -> None:
        """Record the response to a run; schedule a retry of a failed run if the limits allow it."""
        self._in_flight -= 1
        self.message.status = status_pb2.Status(code=answer.rpc_code)
        if answer.succeeded or run.forced:
            return
        retry = self.message.retry_config
        if run.retries >= retry.retry_count:
            return
        wait = backoff(
            run.retries + 1,
            min_backoff=retry.min_backoff_duration,
            max_backoff=retry.max_backoff_duration,
            max_doublings=retry.max_doublings,
        )
        if now + wait < self._tick:
            again = Run(self.message, run.scheduled_at, run.retries + 1, forced=False)
            self._set_retry(again, now + wait)

    def _waits(self) -> bool:
        return self.message.state != State.ENABLED or self._in_flight > 0

    def _new_run(self, scheduled_at: datetime, forced: bool = False) -> Run:
        return Run(scheduler_v1.Job(self.message), scheduled_at, retries=0, forced=forced)

    def _start(self, run: Run, now: datetime) -> Run:
        self._in_flight += 1
        self.message.last_attempt_time = now
        return run

    def _advance(self, now: datetime) -> None:
        """Set the next tick to the first tick after `now`, and drop a scheduled retry."""
        if self._every is not None:
            self._tick += self._every * ((now - self._tick) // self._every + 1)
        else:
            self._tick = cron_tick(self.message.schedule, self.message.time_zone, now)
        self._set_retry(None)

    def _set_retry(self, retry: Run | None, at: datetime | None = None) -> None:
        self._retry = retry
        self.message.schedule_time = at or self._tick

    def _change_state(self, before: int, after: int) -> None:
        if self.message.state != before:
            raise exceptions.FailedPrecondition(f"The job must be {State(before).name}")
        self.message = scheduler_v1.Job(self.message, state=after)
