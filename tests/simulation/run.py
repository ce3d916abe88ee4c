"""Runs one simulation (world), from its first upload to its end."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from tenacity import AsyncRetrying, RetryCallState

from lumimd.domain.errors import Transient
from lumimd.domain.state_machine import IllegalTransition
from lumimd.domain.transcript import Transcript
from lumimd.operations import after_restore
from lumimd.pipeline import recover
from lumimd.telemetry import logs
from tests.simulation.cloud import Cloud, Instance
from tests.simulation.custody import Custody
from tests.simulation.figures import Course, Recovery, statuses, success
from tests.simulation.invariants import watch
from tests.simulation.invocation import about_visit, current
from tests.simulation.phones import Phones
from tests.simulation.platform import Queue, Retention, Scheduler, StorageEvents, Webhook
from tests.simulation.releases import Releases
from tests.simulation.report import Report, story_of
from tests.simulation.store_ports import InjectedBug
from tests.simulation.world import EXPIRES_AFTER, Options, World

INSTANCES: Final = 6
QUIET_S: Final = EXPIRES_AFTER.total_seconds() + 8 * 3600.0

RATIONED_S: Final = 3 * 86_400.0
"""The time (seconds) after which the quota has admitted all visits."""

BUGS: Final = ("bug", "wake_failed", "part_failed", "retention_failed", "reconciliation_failed")
"""Logged failures that break an invariant, unless a dependency was not available."""

SMALL_BATCH: Final = 3
"""Page size of due visits in a world in which unreadable visits are to fill whole pages."""

FEW_RECEIPTS: Final = 10
"""Page size of deletion receipts, small because instances crash before they finish a hundred."""

SMALL_PAGE_BYTES: Final = 150
"""Maximum bytes of a transcript page, so that short transcripts have several pages."""


def run_world(seed: int, options: Options) -> tuple[Report, World]:
    world = World(seed, options)
    cloud = Cloud(world)
    world.new_instance = lambda: Instance(cloud)
    world.instances = [Instance(cloud) for _ in range(INSTANCES)]
    events = StorageEvents(world, cloud)
    phones = Phones(world, cloud, events)
    Webhook(world, cloud)
    Queue(world, cloud)
    Scheduler(world)
    Retention(world)
    releases = Releases(world, cloud, phones)
    custody = Custody(world, cloud, phones)
    endings = watch(world, cloud, phones, releases)
    course, recover = Course(world), Recovery(world)
    with _observed(world):
        phones.plan()
        releases.plan()
        custody.plan()
        quiet_s = QUIET_S + (RATIONED_S if world.is_rationed else 0.0)
        quiet_from = max([phones.last_action_at, *(each.ends for each in world.faults.refusals)])
        world.loop.run(until=quiet_from + quiet_s)
        if not (world.breaches and options.stop_at_first):
            endings.at_the_end()
            custody.at_the_end()
        world.loop.close()
    report = Report(
        visits=options.visits,
        statuses=statuses(world, phones),
        faults=world.faults.injected,
        history=course.history,
        max_minutes=max(course.minutes_to_terminal(), default=0.0),
    )
    report.recovery_s, report.recoveries = recover.longest_s, recover.number
    done = success(world, cloud, phones)
    report.good, report.at_once = done.good, done.at_once
    report.calls.update(world.network.calls)
    for stored in world.documents.visits.values():
        if stored.visit.processing_error is not None:
            report.codes[stored.visit.processing_error.code] += 1
    report.dead_lettered = sum(path.startswith("deadLetters") for path in world.documents.others)
    report.breaches.update(breach.invariant for breach in world.breaches)
    if world.breaches:
        report.failing_seeds.append(seed)
        report.first = (seed, world.breaches[0])
        report.story = story_of(world.trace, world.breaches[0].visit_id)
    return report, world


@contextmanager
def _observed(world: World) -> Iterator[None]:
    """In the context, write the pipeline's log lines to the trace, and its bugs to the breaches."""
    real = (logs.event, logs.failure, logs.about)
    retried = AsyncRetrying.__call__
    pages, batch = Transcript.pages.__defaults__, recover.BATCH
    receipts, after_restore.PAGE = after_restore.PAGE, FEW_RECEIPTS  # type: ignore[misc]

    def event(name: str, severity: str = "info", **fields: Any) -> None:
        world.note(_actor(), about_visit.get(), name, fields.get("code"))

    def failure(name: str, error: BaseException, **fields: Any) -> None:
        world.note(_actor(), about_visit.get(), name, error)
        if name in BUGS and not isinstance(error, ExceptionGroup):
            _judge(world, error)

    logs.event, logs.failure, logs.about = event, failure, _About  # type: ignore[assignment,misc]
    Transcript.pages.__defaults__ = (SMALL_PAGE_BYTES,)
    if world.options.level.unreadable:
        recover.BATCH = SMALL_BATCH  # type: ignore[misc]
    AsyncRetrying.__call__ = _retried  # type: ignore[assignment]
    collects = gc.isenabled()
    gc.disable()  # the order of clean-ups must not depend on the number of live objects
    try:
        yield
    finally:
        if collects:
            gc.enable()
        AsyncRetrying.__call__ = retried  # type: ignore[method-assign]
        logs.event, logs.failure, logs.about = real  # type: ignore[misc]
        Transcript.pages.__defaults__ = pages
        recover.BATCH = batch  # type: ignore[misc]
        after_restore.PAGE = receipts  # type: ignore[misc]


async def _retried(self: AsyncRetrying, function: Any) -> Any:
    """Retry as tenacity does with the options in use; this saves a seventh of a simulation's time.

    The decisions stay with the caller's own `retry`, `wait` and `stop`.
    """
    state = RetryCallState(retry_object=self, fn=function, args=(), kwargs={})
    while True:
        try:
            return await function()
        except BaseException as error:
            state.set_exception(sys.exc_info())  # type: ignore[arg-type]
            if not self.retry(state):
                raise
            state.upcoming_sleep = pause = self.wait(state)  # type: ignore[assignment]
            if self.stop(state):
                if self.reraise:
                    raise
                raise self.retry_error_cls(state.outcome) from error  # type: ignore[arg-type]
        state.prepare_for_next_attempt()
        await self.sleep(pause)  # type: ignore[misc]


def _judge(world: World, error: BaseException) -> None:
    if isinstance(error, Transient | InjectedBug):
        return
    name = "illegalTransitions" if isinstance(error, IllegalTransition) else "bug"
    world.breach(name, about_visit.get(), f"{type(error).__name__}: {error}")


def _actor() -> str:
    invocation = current.get(None)
    return invocation.name if invocation else "-"


class _About:
    """A replacement for `logs.about` that sets the visit that log lines are about."""

    def __init__(self, **fields: Any) -> None:
        self._visit_id = fields.get("visitId")

    def __enter__(self) -> None:
        if self._visit_id is not None:
            self._token = about_visit.set(self._visit_id)

    def __exit__(self, *exc: object) -> None:
        if self._visit_id is not None:
            with suppress(ValueError):  # a killed invocation ends in another context
                about_visit.reset(self._token)
