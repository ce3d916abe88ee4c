"""Admission control: a distributed semaphore over provider jobs, and a fair queue in front of it.

    over_quota      before the recording is opened: it counts, or waits until the quota allows it
    may_submit      before any paid call: a permit, or a turn in the fair queue; at the hourly cap
                    of orders (`hourly_cap.py`) also a turn
    admit_waiting   every minute: free permits go to the next visits in the queue
    left            a job has ended: its permit is free

A visit holds a permit from before its order (a paid job) until the job is known to have ended.
After a crash of the worker the visit keeps its permit and finds the permit at its next try.
`reclaim.py` finds leaked permits while other visits wait; a leaked permit also expires after the
longest time that a job may take.
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
from lumimd.policies.admission import PERMIT_FOR, PROMISED_FOR, QUEUE_CHECK, STORE_PAUSE_S
from lumimd.policies.flags import share
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
from lumimd.stores.queued_visits import QueuedVisits
from lumimd.stores.shared_documents import SharedDocuments
from lumimd.stores.turn_counters import TurnCounters
from lumimd.telemetry import logs

LINE: Final = "turns"


AT_ONCE: Final = 200
"""The most visits that are called in one minute; further visits are called in the next minute."""

PAGES_BEHIND: Final = 10
"""The most further pages of the queue that are read if users at their hourly share fill its
front."""


@dataclass(frozen=True)
class Waits:
    """The visit waits until `until` without a permit; `turn` is None while over the quota."""

    turn: int | None
    until: datetime


class Quota(Protocol):
    """The quota of recordings that a user may have transcribed."""

    async def take(self, user_id: str) -> float | None:
        """Count one recording and return None, or return the seconds until the next try.

        May raise `Transient`.
        """
        ...


def priority_of(visit: Visit) -> Priority:
    """Return the priority of a waiting visit."""
    if visit.urgent:
        return Priority.URGENT
    return Priority.LIVE if visit.batch_id is None else Priority.BATCH


def holder_of(visit: Visit) -> str:
    """Return the name of the visit's attempt as a holder of a permit."""
    return f"{visit.visit_id}/{visit.attempt}"


def ask_again(visit: Visit, until_one_more: timedelta, now: datetime) -> datetime:
    """Return the next check of a visit that is over the quota of its user.

    If all waiting visits returned for the next allowed recording, all but one would return in vain
    each time. So each visit adds its own jitter, and its pauses grow with the time waited.
    """
    waited = now - (visit.queued_at or now)
    return now + max(until_one_more, waited / 8) * (1 + share("quota", visit.visit_id))


class Admission:
    """Admission control, as one instance applies it."""

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
        """Return None if the leased visit counts and may open its recording now, else its wait.

        Raises:
            Held: the store does not answer; the visit waits and asks again.
        """
        # Under an earlier lease, a worker that crashed has already counted the recording, since the
        # quota is the first step.
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
        """Return None if the leased visit has a permit and may submit its paid job, else its turn.

        Raises:
            Held: the store does not answer; the visit waits and asks again.
        """
        try:
            return await self._may_submit(visit)
        except Transient as error:
            raise Held(error.code, retry_after_s=STORE_PAUSE_S) from error

    async def admit_waiting(self, jobs: Jobs) -> list[Stored]:
        """Give the free permits to the next visits and return these visits, to be submitted now.

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
        # Visits of users at their hourly share are skipped, and later visits are called instead.
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
        """Release the permit of an attempt whose job has ended or will never be submitted.

        If the release cannot be stored, `reclaim.py` finds the permit later.
        """
        try:
            await self.semaphore.release(f"{visit_id}/{attempt}")
        except Transient as error:
            logs.failure("place_not_given_back", error)

    async def gone(self, visit_id: str) -> None:
        """Release all permits of a visit, because no attempt has a job left at the provider."""
        try:
            for permit in await self.semaphore.holders():
                if permit.holder.rpartition("/")[0] == visit_id:
                    await self.semaphore.release(permit.holder)
        except Transient as error:
            logs.failure("place_not_given_back", error)

    async def forget(self, user_id: str) -> None:
        """Delete the turn counters of a user.

        Raises:
            Transient: the store is not available.
        """
        await self._turn_counters.forget(user_id)

    async def position(self, visit: Visit) -> int | None:
        """Return the visit's position within its priority, from 1 on; None if it is not queued.

        A visit that joins later may overtake this visit only within the same round of turns.

        Raises:
            Transient: the store is not available.
        """
        if visit.turn is None:
            return None
        priority = priority_of_turn(visit.turn)
        return 1 + await self._room.before(first_turn(priority), visit.turn, visit.visit_id)

    async def _may_submit(self, visit: Visit) -> Waits | None:
        now, priority = self._clock.now(), priority_of(visit)
        goes_first = await self._has_permit(visit) or await self._none_waits_before(priority)
        if goes_first and await self._take(visit, priority, PERMIT_FOR):
            if await self._within_the_cap(visit):
                return None
            await self.semaphore.release(holder_of(visit))
        turn = await draw_turn(
            self._turn_counters, await self._line(), visit.user_id, priority, now
        )
        return Waits(turn, now + QUEUE_CHECK)

    async def _within_the_cap(self, visit: Visit) -> bool:
        assert visit.lease is not None
        if self._hourly is None or await self._hourly.take(visit.user_id, visit.lease.holder):
            return True
        logs.event("order_cap_reached", "warning")
        return False

    async def _has_permit(self, visit: Visit) -> bool:
        """Whether the visit has a permit, from the queue or from an earlier lease."""
        may_have = visit.queued_at is not None or visit.possible_orders > 1
        return may_have and await self.semaphore.has(holder_of(visit))

    async def _none_waits_before(self, priority: Priority) -> bool:
        """Whether no visit waits in the same or a higher priority, so that a new visit goes first.

        A new urgent visit also waits behind live visits until the next minute. `admit_waiting` then
        applies the shares of the priorities (`policies/priorities.py`). Otherwise a stream of
        urgent visits would take every permit that becomes free between two runs.
        """
        last = max(first_turn(priority), first_turn(Priority.LIVE))
        return not await self._room.waiting(0, last + PRIORITY_WIDTH, 1)

    async def _take(self, visit: Visit, priority: Priority, keep: timedelta) -> bool:
        try:
            return await self.semaphore.take(holder_of(visit), priority, self._clock.now() + keep)
        except Contended:
            return False  # the visit waits in the queue until there is less contention

    async def _waiting_in(self, priority: Priority, limit: int) -> list[Stored]:
        first = first_turn(priority)
        return [*await self._room.waiting(first, first + PRIORITY_WIDTH, limit)]

    async def _waiting_behind(self, priority: Priority, last: Visit) -> list[Stored]:
        """Return the next visits after `last`, or none if a whole page has the turn of `last`."""
        assert last.turn is not None
        end = first_turn(priority) + PRIORITY_WIDTH
        page = await self._room.waiting(last.turn, end, AT_ONCE)
        permit = (last.turn, last.visit_id)
        return [each for each in page if (each.visit.turn, each.visit.visit_id) > permit]

    async def _line(self) -> QueueState:
        found = await self._queue_states.documents.get(LINE)
        return found[0] if found else QueueState()
