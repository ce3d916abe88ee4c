"""Health checks for dependencies that are reached through a port of the pipeline."""

from collections.abc import Mapping
from typing import Final

from lumimd.domain.errors import DeploymentFault
from lumimd.domain.plurals import counted
from lumimd.policies.breaker import Breaker, State, key_of
from lumimd.ports.health_check import Check, Unhealthy
from lumimd.ports.service_controls import QueueControl, RunState, ScheduleControl
from lumimd.stores.shared_documents import SharedDocuments
from lumimd.stores.visit_store import VisitStore

NO_VISIT: Final = "health-check"
"""The id of a visit that does not exist, so that a check reads no user's data."""


def store_check(store: VisitStore) -> Check:
    """Return a check that documents can be read."""

    async def check() -> str:
        await store.get(NO_VISIT)
        return "documents can be read"

    return check


def queue_check(queues: QueueControl) -> Check:
    """Return a check that the task queues exist and hand out their tasks."""

    async def check() -> str:
        found = await queues.all()
        if not found:
            raise Unhealthy("there is no task queue")
        stopped = [queue.name for queue in found if queue.state is not RunState.RUNNING]
        if stopped:
            raise Unhealthy(f"not running: {', '.join(stopped)}; tasks wait")
        waiting = sum(queue.waiting for queue in found)
        return f"running, {counted(waiting, 'task')} waiting"

    return check


_TO_DO: Final[Mapping[DeploymentFault, str]] = {
    DeploymentFault.KEY_REFUSED: "change the key",
    DeploymentFault.FORBIDDEN: "the key or the account may not do this",
    DeploymentFault.UNPAID: "top up the account",
    DeploymentFault.QUOTA_EXHAUSTED: "raise the quota of the account",
    DeploymentFault.MODEL_NOT_FOUND: "name a model that the provider has",
    DeploymentFault.ROUTE_NOT_FOUND: "mend the provider's address",
    DeploymentFault.REQUEST_REFUSED: "look at the last release, and ask the provider",
}
"""The operator's remedy for each account or configuration fault."""


def _why(breaker: Breaker) -> str:
    """Return the reason why visits wait, with the remedy for an account or configuration fault."""
    if breaker.fault is not None:
        fault = breaker.fault.replace("_", " ")
        return f": {fault}; {_TO_DO[breaker.fault]}; visits wait for it, however long"
    why = f": {breaker.reason.replace('_', ' ')}" if breaker.reason else ""
    return f"{why}; visits wait for it"


def scheduler_check(schedules: ScheduleControl) -> Check:
    """Return a check that the scheduled calls run and succeed.

    Without the scheduled calls lost work is never found.
    """

    async def check() -> str:
        found = await schedules.all()
        if not found:
            raise Unhealthy("nothing is scheduled: visits that lost a step are never picked up")
        stopped = [each.name for each in found if each.state is not RunState.RUNNING]
        if stopped:
            raise Unhealthy(f"not running: {', '.join(stopped)}; due visits wait")
        failing = [each.name for each in found if each.last_code]
        if failing:
            raise Unhealthy(f"the last call failed: {', '.join(failing)}")
        return f"running: {', '.join(each.name for each in found)}"

    return check


def breaker_check(breakers: SharedDocuments[Breaker], name: str) -> Check:
    """Return a check that a circuit breaker lets calls through."""

    async def check() -> str:
        found = await breakers.get(key_of(name))
        breaker = found[0] if found else Breaker(name=name)
        if breaker.state is State.HALF_OPEN and breaker.successes:
            answered = counted(breaker.successes, "probe was answered", "probes were answered")
            return f"half open: {answered}, and the next call may close it"
        if not breaker.is_closed:
            since = f" since {breaker.opened_at:%Y-%m-%d %H:%M} UTC" if breaker.opened_at else ""
            raise Unhealthy(f"{breaker.state.replace('_', ' ')}{since}{_why(breaker)}")
        if breaker.suspects:
            return "closed: calls are let through, and a visit was refused for an unknown reason"
        return "closed: calls are let through"

    return check
