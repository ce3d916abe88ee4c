"""Draws the faults of a simulation run (world), and counts each kind of fault."""

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final

from lumimd.domain.errors import DeploymentFault
from tests.simulation.account import HOURS, Refusal, drawn
from tests.simulation.levels import Level


class Dependency(StrEnum):
    """A dependency that the pipeline calls and that may fail."""

    STORE = "store"
    TASKS = "tasks"
    AUDIO = "audio"
    TRANSCRIPTION = "transcription"
    MODEL = "model"


class Fate(StrEnum):
    """The fault of one call."""

    FAIL_BEFORE = "fail_before"
    FAIL_AFTER = "fail_after"
    NO_ANSWER = "no_answer"
    SLOW = "slow"
    LATE_ARRIVAL = "late_arrival"
    CRASH_BEFORE = "crash_before"
    CRASH_AFTER = "crash_after"
    TOO_MANY = "too_many_requests"
    OUTAGE = "outage"


@dataclass(frozen=True)
class Window:
    """A period in which all or many calls to a dependency fail or are slow."""

    dependency: Dependency
    begins: float
    ends: float
    fate: Fate
    share: float | None = None

    @property
    def intensity(self) -> float:
        """The share of the calls that are affected in the window."""
        return INTENSITY[self.fate] if self.share is None else self.share


INTENSITY: Final = {
    Fate.OUTAGE: 1.0,
    Fate.TOO_MANY: 0.6,
    Fate.SLOW: 0.5,
    Fate.FAIL_AFTER: 0.5,
    Fate.CRASH_AFTER: 0.15,
}
"""The share of the affected calls by kind of window, unless a window sets another share."""


class Faults:
    """Draws the fate (fault or none) of each call; `injected` counts the drawn faults."""

    def __init__(
        self, level: Level, rng: Random, outages: tuple[tuple[Dependency, float], ...] = ()
    ) -> None:
        self.level = level
        self.injected: Counter[str] = Counter()
        self.is_over = False
        self._rng = rng
        self._shares = tuple(
            (Fate(name), getattr(level, name))
            for name in (
                "fail_before",
                "fail_after",
                "no_answer",
                "slow",
                "late_arrival",
                "crash_before",
                "crash_after",
            )
        )
        self._any_of_them = sum(share for _, share in self._shares)
        self.windows = [*self._drawn_windows(), *self._requested_windows(outages)]
        self.refusals: list[Refusal] = []
        if self.chance("unpaid"):
            self.refusals.append(drawn(rng, longest_h=3.0))
        if self.chance("unpaid_for_days"):
            self.refusals.append(drawn(rng, longest_h=max(HOURS)))

    def chance(self, name: str) -> bool:
        """Draw whether the level's fault `name` happens now, and count it if it does."""
        share = getattr(self.level, name)
        if share == 0.0 or self.is_over or self._rng.random() >= share:
            return False
        self.injected[name] += 1
        return True

    def fate(self, dependency: Dependency, now: float) -> Fate | None:
        """Draw the fault of a call to `dependency`; return None for no fault."""
        for window in self.windows:
            if window.dependency is dependency and window.begins <= now < window.ends:
                if self._rng.random() > window.intensity:
                    continue
                self.injected[window.fate] += 1
                return window.fate
        drawn = self._rng.random()
        if drawn >= self._any_of_them or self.is_over:
            return None
        for fate, share in self._shares:
            if drawn < share:
                self.injected[fate] += 1
                return fate
            drawn -= share
        return None

    def refusal(self, dependency: Dependency, is_paid: bool, now: float) -> DeploymentFault | None:
        """Return the reason for which the provider refuses this call, or None."""
        for each in self.refusals:
            if each.refuses(dependency.value, is_paid, now):
                self.injected[each.fault] += 1
                return each.fault
        return None

    def _drawn_windows(self) -> list[Window]:
        windows = []
        for name, minutes, fate in (
            ("storm", self._rng.uniform(1, 12), Fate.TOO_MANY),
            ("slow_spell", self._rng.uniform(2, 15), Fate.SLOW),
            ("unheard_spell", self._rng.uniform(2, 15), Fate.FAIL_AFTER),
            ("crash_spell", self._rng.uniform(1, 6), Fate.CRASH_AFTER),
            ("short_outage", 15.0, Fate.OUTAGE),
            ("long_outage", 120.0, Fate.OUTAGE),
        ):
            if self.chance(name):
                begins = self._rng.uniform(0, 1500)
                # In a storm up to three dependencies fail together; an outage affects only one.
                most = 1 if name.endswith("outage") else 3
                for dependency in self._rng.sample(list(Dependency), self._rng.randint(1, most)):
                    windows.append(Window(dependency, begins, begins + minutes * 60, fate))
        if self.chance("slow_day"):
            # Slow reads of recordings move the following calls close to the expiry of the lease.
            windows.append(Window(Dependency.AUDIO, 0.0, 3600.0, Fate.SLOW, share=0.85))
        return windows

    def _requested_windows(self, outages: tuple[tuple[Dependency, float], ...]) -> list[Window]:
        return [
            Window(which, 300.0, 300.0 + 60 * minutes, Fate.OUTAGE) for which, minutes in outages
        ]
