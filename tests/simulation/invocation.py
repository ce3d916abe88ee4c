"""Represents calls of entry points by the platform, and names the current call."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any


class Invocation:
    """A call of an entry point by the platform; a crash ends the call and all its work."""

    __slots__ = (
        "attempt",
        "began_at",
        "disturbed",
        "faults",
        "instance",
        "is_dead",
        "is_over",
        "kind",
        "leased",
        "name",
        "reply",
        "timed_out",
        "visit_id",
    )

    def __init__(
        self, name: str, kind: str, visit_id: str | None, attempt: int | None, instance: Any
    ) -> None:
        self.name = name
        self.instance = instance
        self.kind = kind
        self.visit_id = visit_id
        self.attempt = attempt
        self.began_at = 0.0
        self.is_dead = False
        self.is_over = False
        self.timed_out = False
        self.reply: Callable[[int], None] = lambda status: None
        self.leased: dict[str, int] = {}
        self.faults: dict[str | None, int] = {}
        self.disturbed: set[str | None] = set()

    def __repr__(self) -> str:
        return self.name

    def hit(self, visit_id: str | None) -> None:
        """Count a fault in this call's work on a visit."""
        self.faults[visit_id] = self.faults.get(visit_id, 0) + 1

    def hits(self, visit_id: str | None) -> int:
        """Return the faults so far in the work on a visit; a crash counts for every visit."""
        ends = self.is_dead + self.timed_out + self.instance.shutdown.has_begun
        return self.faults.get(visit_id, 0) + 100 * ends


current: ContextVar[Invocation] = ContextVar("current")
about_visit: ContextVar[str | None] = ContextVar("about_visit", default=None)
