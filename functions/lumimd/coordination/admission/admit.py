"""Admission control: a distributed semaphore over provider jobs, and a fair queue in front of it.

    over_quota      before the recording is opened: it counts, or waits until one more is allowed
    may_submit      before anything is paid for: a place, or a turn in the line; at the cap of
                    orders an hour (`hourly.py`) a turn as well
    admit_waiting   every minute: free places go to those whose turn it is
    left            a job has ended: its place is free

A visit holds a place from before the order until the job is known to have ended. After a crash of
the worker the visit keeps it, and finds it again at its next try. A leaked place is found by
`sweep.py` when others wait for it, and expires after the longest time that a job may take.
"""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from lumimd.coordination.admission.fair_queue import draw_turn
from lumimd.coordination.admission.hourly_cap import HourlyCap
from lumimd.coordination.admission.reclaim import Jobs, reclaim
from lumimd.coordination.admission.semaphore import Semaphore
from lumimd.coordination.shared_document import Contended, Shared
from lumimd.domain.commit import Stored
from lumimd.domain.errors import Held, Transient
from lumimd.domain.visit import Visit
from lumimd.policies.flags import share
from lumimd.policies.job_limit import LONGEST
from lumimd.policies.priorities import (
    PRIORITY_WIDTH,
    Priority,
    QueueState,
    first_turn,
    merged,
    next_priority,
    priority_of_turn,
    served,
)
from lumimd.ports.clock import Clock
from lumimd.ports.queued_visits import QueuedVisits
from lumimd.ports.shared_documents import SharedDocuments
from lumimd.ports.turn_counters import TurnCounters
from lumimd.telemetry import logs

LINE: Final = "turns"

HELD_FOR: Final = LONGEST + timedelta(hours=1)
"""As long as the longest job: one that was given up earlier may still run, and has its place."""

PROMISED_FOR: Final = timedelta(minutes=5)
"""How long a place is kept for a visit that was called from the line and does not come."""

LOOK_AGAIN: Final = timedelta(hours=1)
"""The line is looked after every minute; this is for what nobody has thought of."""

STORE_PAUSE_S: Final = 30.0

AT_ONCE: Final = 200
"""Visits called in one minute; what is left over is called in the next."""

PAGES_BEHIND: Final = 10
"""More pages of the line, where users who have their share of the hour stand in front."""


@dataclass(frozen=True)
class Waits:
    """The visit has no place. `turn` is its turn in the line; None: its user is over the quota."""

    turn: int | None
    until: datetime


class Quota(Protocol):
    """How many recordings a user may have transcribed."""

    async def take(self, user_id: str) -> float | None:
        """Count one; None, or the seconds after which to ask again. May raise `Transient`."""
        ...


def priority_of(visit: Visit) -> Priority:
    """In which lane the visit waits."""
    if visit.urgent:
        return Priority.URGENT
    return Priority.LIVE if visit.batch_id is None else Priority.BATCH


def holder_of(visit: Visit) -> str:
    """Under which name the visit has its place: another attempt is another job."""
    return f"{visit.visit_id}/{visit.attempt}"


def ask_again(visit: Visit, until_one_more: timedelta, now: datetime) -> datetime:
    """When a visit that is over its user's quota asks again.

    If all who wait came for the next recording that is allowed, all but one would come in vain,
    each time; so they come at moments of their own, and the more rarely the longer they wait.
    """
    waited = now - (visit.queued_at or now)
    return now + max(until_one_more, waited / 8) * (1 + share("quota", visit.visit_id))


class Admission:
    """The gate to the provider, as one instance sees it."""

    def __init__(
        self,
        semaphore: Semaphore,
        lines: SharedDocuments[QueueState],
        turn_counters: TurnCounters,
        room: QueuedVisits,
        quota: Quota,
        clock: Clock,
        hourly: HourlyCap | None = None,
    ) -> None:
        self.semaphore: Final = semaphore
        self._queue_states = Shared(lines)
        self._turn_counters = turn_counters
        self._room = room
        self._quota = quota
        self._clock = clock
        self._hourly = hourly

    async def over_quota(self, visit: Visit) -> Waits | None:
        """None: the recording of the claimed visit counts, and may be opened now.

        Raises:
            Held: the store does not answer; ask again.
        """
        # A worker that crashed under an earlier lease had asked for the quota first of all.
        if visit.counted or visit.expired_leases:
            return None
        try:
            if await self._has_permit(visit):
                return None
            wait_s = await self._quota.take(visit.user_id)
        except Transient as error:
            raise Held(error.code, retry_after_s=STORE_PAUSE_S) from error
        if wait_s is None:
            return None
        now = self._clock.now()
        return Waits(None, ask_again(visit, timedelta(seconds=wait_s), now))

    async def may_submit(self, visit: Visit) -> Waits | None:
        """None: the claimed visit has a place, and may order its transcript now.

        Raises:
            Held: the store does not answer; ask again.
        """
        try:
            return await self._may_submit(visit)
        except Transient as error:
            raise Held(error.code, retry_after_s=STORE_PAUSE_S) from error

    async def admit_waiting(self, jobs: Jobs) -> list[Stored]:
        """Give the free places to those whose turn it is; each of them is to be submitted now.

        Raises:
            Transient: the store is not available.
        """
        first = await self._room.waiting(0, len(Priority) * PRIORITY_WIDTH, 1)
        if not first:
            return []
        free = await self.semaphore.free()
        if not free[priority_of(first[0].visit)] and await reclaim(jobs, self.semaphore):
            free = await self.semaphore.free()
        budget = await self._hourly.budget() if self._hourly else None
        # Users who have their share of the hour are passed over, and those behind them are called.
        limit = AT_ONCE if budget else None
        queues = {
            priority: deque(await self._waiting_in(priority, limit or min(free[priority], AT_ONCE)))
            for priority in Priority
            if free[priority]
        }
        before = line = await self._line()
        called: list[Stored] = []
        pages_left = PAGES_BEHIND
        while (
            priority := next_priority(line, [each for each in queues if queues[each]])
        ) is not None:
            stored = queues[priority].popleft()
            if budget and not queues[priority] and pages_left and budget.has_room:
                pages_left -= 1
                queues[priority].extend(await self._waiting_behind(priority, stored.visit))
            if budget and not budget.allows(stored.visit.user_id):
                continue
            if len(called) == AT_ONCE or not await self._take(stored.visit, priority, PROMISED_FOR):
                del queues[priority]
                continue
            assert stored.visit.turn is not None
            line = served(line, priority, stored.visit.turn)
            called.append(stored)
            if budget:
                budget.use(stored.visit.user_id)
        if line != before:
            await self._queue_states.change(
                LINE, lambda found: (merged(found or QueueState(), line), None)
            )
        logs.event("called_from_the_line", count=len(called))
        return called

    async def left(self, visit_id: str, attempt: int) -> None:
        """The job of that attempt has ended, or will never be ordered: its place is free.

        Where that cannot be stored, `sweep.py` finds out later.
        """
        try:
            await self.semaphore.release(f"{visit_id}/{attempt}")
        except Transient as error:
            logs.failure("place_not_given_back", error)

    async def gone(self, visit_id: str) -> None:
        """No job for the visit is left at the provider, of whatever attempt: nothing is held."""
        try:
            for permit in await self.semaphore.holders():
                if permit.holder.rpartition("/")[0] == visit_id:
                    await self.semaphore.release(permit.holder)
        except Transient as error:
            logs.failure("place_not_given_back", error)

    async def forget(self, user_id: str) -> None:
        """Forget how much a user has had in the line.

        Raises:
            Transient: the store is not available.
        """
        await self._turn_counters.forget(user_id)

    async def position(self, visit: Visit) -> int | None:
        """The visit's place in its lane, from 1 on; None when it is not in line.

        Who joins later may come before it only within the same round.

        Raises:
            Transient: the store is not available.
        """
        if visit.turn is None:
            return None
        priority = priority_of_turn(visit.turn)
        return 1 + await self._room.before(first_turn(priority), visit.turn, visit.visit_id)

    async def _may_submit(self, visit: Visit) -> Waits | None:
        now, priority = self._clock.now(), priority_of(visit)
        goes_first = await self._has_permit(visit) or await self._nobody_waits_before(priority)
        if goes_first and await self._take(visit, priority, HELD_FOR):
            if await self._within_the_cap(visit):
                return None
            await self.semaphore.release(holder_of(visit))
        turn = await draw_turn(
            self._turn_counters, await self._line(), visit.user_id, priority, now
        )
        return Waits(turn, now + LOOK_AGAIN)

    async def _within_the_cap(self, visit: Visit) -> bool:
        assert visit.lease is not None
        if self._hourly is None or await self._hourly.take(visit.user_id, visit.lease.holder):
            return True
        logs.event("order_cap_reached", "warning")
        return False

    async def _has_permit(self, visit: Visit) -> bool:
        """It may have been called to one, or an earlier holder of the claim has one, and a job."""
        may_have = visit.queued_at is not None or visit.possible_orders > 1
        return may_have and await self.semaphore.has(holder_of(visit))

    async def _nobody_waits_before(self, priority: Priority) -> bool:
        """Newcomers stand behind those who wait in the same lane or in a quicker one.

        An urgent newcomer stands behind live ones, too, until the next minute calls it before them.
        There the lanes have their shares (`lanes.py`); without that, urgent visits that keep coming
        would take every place that becomes free between two minutes.
        """
        last = max(first_turn(priority), first_turn(Priority.LIVE))
        return not await self._room.waiting(0, last + PRIORITY_WIDTH, 1)

    async def _take(self, visit: Visit, priority: Priority, keep: timedelta) -> bool:
        try:
            return await self.semaphore.take(holder_of(visit), priority, self._clock.now() + keep)
        except Contended:
            return False  # whoever waits in line is called as soon as it is quieter

    async def _waiting_in(self, priority: Priority, limit: int) -> list[Stored]:
        first = first_turn(priority)
        return [*await self._room.waiting(first, first + PRIORITY_WIDTH, limit)]

    async def _waiting_behind(self, priority: Priority, last: Visit) -> list[Stored]:
        """The next ones behind `last`; none where all of a page have its turn."""
        assert last.turn is not None
        end = first_turn(priority) + PRIORITY_WIDTH
        page = await self._room.waiting(last.turn, end, AT_ONCE)
        permit = (last.turn, last.visit_id)
        return [each for each in page if (each.visit.turn, each.visit.visit_id) > permit]

    async def _line(self) -> QueueState:
        found = await self._queue_states.documents.get(LINE)
        return found[0] if found else QueueState()
