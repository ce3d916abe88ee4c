"""Retry many dead letters, one by one at a steady pace, so that no provider is flooded."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from lumimd.domain.dead_letter import DeadLetter
from lumimd.domain.document import Document
from lumimd.domain.errors import Refused, Transient
from lumimd.operations import dead_letters
from lumimd.operations.audit import audited
from lumimd.operations.operator import Operator
from lumimd.ports.clock import Clock
from lumimd.stores.operator_store import LetterFilter, mark_of

PAGE: Final = 300
PER_MINUTE: Final = 60
"""The default pace: one retry per second."""

TROUBLES_IN_A_ROW: Final = 5
"""Failures in a row that suggest a common cause and end the bulk retry."""

Sleep = Callable[[float], Awaitable[None]]


class BulkOutcome(StrEnum):
    """The outcome of one dead letter's retry."""

    RETRIED = "retried"
    REFUSED = "refused"
    FAILED = "failed"


class BulkItem(Document):
    """One dead letter of a bulk retry; `code` is the reason of a refusal or failure."""

    visit_id: str
    outcome: BulkOutcome
    code: str | None = None


class BulkSummary(Document):
    """The result of a bulk retry.

    `left` counts dead letters that were chosen but not tried, after failures in a row or because
    the time was up. They stay open, so that the same request continues with them.
    """

    chosen: int
    retried: int
    refused: int
    failed: int
    left: int
    codes: dict[str, int]
    took_seconds: float
    items: tuple[BulkItem, ...]


class Pace:
    """Spaces the retries evenly, without a burst that makes up for lost time."""

    def __init__(self, per_minute: float, clock: Clock, sleep: Sleep) -> None:
        self._interval = timedelta(minutes=1) / per_minute
        self._clock = clock
        self._sleep = sleep
        self._next_at: datetime | None = None

    def begins_at(self) -> datetime:
        """Return the time at which the next retry may start."""
        now = self._clock.now()
        return max(now, self._next_at or now)

    async def turn(self) -> None:
        """Wait until the next retry may start."""
        begins = self.begins_at()
        pause = begins - self._clock.now()
        if pause > timedelta(0):
            await self._sleep(pause.total_seconds())
        self._next_at = begins + self._interval


async def choose(operator: Operator, wanted: LetterFilter, limit: int) -> list[DeadLetter]:
    """Return the first `limit` dead letters of the list that the operator sees."""
    chosen: list[DeadLetter] = []
    while len(chosen) < limit:
        after = mark_of(chosen[-1]) if chosen else None
        size = min(PAGE, limit - len(chosen))
        page = await operator.services.operators.letters(wanted, size, after)
        chosen += page
        if len(page) < size:
            break
    return chosen


async def bulk_retry(
    operator: Operator,
    letters: list[DeadLetter],
    *,
    per_minute: float = PER_MINUTE,
    ends_at: datetime | None = None,
    sleep: Sleep = asyncio.sleep,
    on_item: Callable[[BulkItem], None] = lambda item: None,
) -> BulkSummary:
    """Try each of `letters` again, at most `per_minute` of them in a minute.

    No retry begins at `ends_at` or later; the remaining dead letters are left.

    Every visit has its own entry in the audit log, and the bulk retry has one.

    Raises:
        Transient: the audit log is not available; no retry began.
    """
    clock = operator.services.clock
    pace, began, troubles = Pace(per_minute, clock, sleep), clock.now(), 0
    items: list[BulkItem] = []
    before = {"chosen": len(letters), "perMinute": per_minute}
    async with audited(operator, "bulk_retry", "dead letters", before=before) as note:
        for letter in letters:
            if ends_at is not None and pace.begins_at() >= ends_at:
                break
            await pace.turn()
            item = await _retried(operator, letter.visit_id)
            items.append(item)
            on_item(item)
            troubles = troubles + 1 if item.outcome is BulkOutcome.FAILED else 0
            if troubles == TROUBLES_IN_A_ROW:
                break
        summary = summary_of(letters, items, (clock.now() - began).total_seconds())
        note.after = summary.model_dump(by_alias=True, exclude={"items"})
    return summary


async def _retried(operator: Operator, visit_id: str) -> BulkItem:
    try:
        await dead_letters.retry(operator, visit_id)
    except Refused as refusal:
        return BulkItem(visit_id=visit_id, outcome=BulkOutcome.REFUSED, code=refusal.code)
    except Transient as error:
        return BulkItem(visit_id=visit_id, outcome=BulkOutcome.FAILED, code=error.code)
    return BulkItem(visit_id=visit_id, outcome=BulkOutcome.RETRIED)


def summary_of(chosen: list[DeadLetter], items: list[BulkItem], took_s: float) -> BulkSummary:
    """Return the result of the retries that were made of the chosen dead letters."""
    count = Counter(item.outcome for item in items)
    return BulkSummary(
        chosen=len(chosen),
        retried=count[BulkOutcome.RETRIED],
        refused=count[BulkOutcome.REFUSED],
        failed=count[BulkOutcome.FAILED],
        left=len(chosen) - len(items),
        codes=dict(Counter(item.code for item in items if item.code).most_common()),
        took_seconds=round(took_s, 3),
        items=tuple(items),
    )
