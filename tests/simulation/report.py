"""Reports results as numbers and, for a broken invariant, as the trace of a visit."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from lumimd.domain.commit import Stored
from lumimd.domain.visit import Visit
from tests.simulation.world import Breach

LINES: Final = 70

TRIED_AGAIN: Final = (
    "submission_deferred",
    "summary_deferred",
    "transcription_restarted",
    "submission_retried",
    "summary_retried",
)
"""Events that each begin another try of a stage."""


@dataclass
class Report:
    """The summed results of simulation runs (worlds)."""

    visits: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    breaches: Counter[str] = field(default_factory=Counter)
    dead_lettered: int = 0
    max_minutes: float = 0.0
    good: int = 0
    at_once: int = 0
    recoveries: int = 0
    recovery_s: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    history: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    failing_seeds: list[int] = field(default_factory=list)
    first: tuple[int, Breach] | None = None
    story: str = ""

    def add(self, other: "Report") -> None:
        """Add the results of `other` to this report."""
        self.visits += other.visits
        for name in ("statuses", "breaches", "faults", "history", "codes", "calls"):
            getattr(self, name).update(getattr(other, name))
        for name in ("dead_lettered", "good", "at_once", "recoveries"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.recovery_s = max(self.recovery_s, other.recovery_s)
        self.max_minutes = max(self.max_minutes, other.max_minutes)
        self.failing_seeds += other.failing_seeds
        if other.first and (self.first is None or other.first[0] < self.first[0]):
            self.first, self.story = other.first, other.story

    def as_json(self, seed: int, seconds: float) -> dict[str, Any]:
        """Return the document that `--json` prints."""
        broken = self.breaches
        first = None
        if self.first:
            world_seed, breach = self.first
            first = {
                "seed": world_seed,
                "invariant": breach.invariant,
                "visitId": breach.visit_id,
                "atSeconds": round(breach.at, 3),
                "detail": breach.detail,
            }
        return {
            "visits": self.visits,
            **{
                name: self.statuses[name]
                for name in ("completed", "partial", "failed", "cancelled")
            },
            "stuck": broken["stuck"] + broken["lostUploads"],
            "lostTranscripts": broken["lostTranscripts"],
            "duplicateTranscriptionCharges": broken["duplicateTranscriptionCharges"],
            "duplicateModelCharges": broken["duplicateModelCharges"],
            "duplicateActionItems": broken["duplicateActionItems"],
            "illegalTransitions": broken["illegalTransitions"],
            "withoutWakeUp": broken["withoutWakeUp"],
            "brokenInvariants": dict(broken.most_common()),
            "deadLettered": self.dead_lettered,
            "failures": dict(self.codes.most_common()),
            "hung": broken["stuck"],
            "firstAttemptSuccess": _share(self.at_once, self.good),
            "failedShare": _share(self.statuses["failed"] + self.statuses["partial"], self.visits),
            "averageRetries": _share(sum(self.history[name] for name in TRIED_AGAIN), self.visits),
            "recoveriesAfterCrash": self.recoveries,
            "recoveryAfterCrashMaxMinutes": round(self.recovery_s / 60, 2),
            "maxMinutesToTerminal": round(self.max_minutes, 1),
            "faultsInjected": dict(self.faults.most_common()),
            "calls": dict(self.calls.most_common()),
            "history": dict(self.history.most_common()),
            "seconds": round(seconds, 2),
            "visitsPerSecond": round(self.visits / seconds, 1) if seconds else None,
            "seed": seed,
            "failingSeeds": self.failing_seeds[:20],
            "firstBrokenInvariant": first,
        }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def story_of(
    trace: list[tuple[float, str, str | None, str, Any]],
    visit_id: str | None,
    lines: int | None = LINES,
) -> str:
    """Return the last events of a visit (None: of all visits), each as a line of the trace."""
    of_it = [line for line in trace if visit_id is None or line[2] == visit_id]
    written = []
    for at, actor, _, event, detail in of_it[-lines:] if lines else of_it:
        written.append(f"{_time(at)}  {actor:<14} {event:<16} {_text(detail)}".rstrip())
    return "\n".join(written)


def _time(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours:02d}:{minutes:02d}:{rest:06.3f}"


def _text(detail: Any) -> str:
    if isinstance(detail, Stored):
        return f"(version {detail.version})"
    if isinstance(detail, Visit):
        lease = f" leased by {detail.lease.holder}" if detail.lease else ""
        wake = f" wakeAt {detail.wake_at:%H:%M:%S}" if detail.wake_at else ""
        job = f" {detail.transcription.transcript_id}" if detail.transcription else ""
        return (
            f"{detail.processing_status} attempt {detail.attempt} tries {detail.stage_tries}"
            f"{job}{lease}{wake}"
        )
    if isinstance(detail, BaseException):
        return f"raises {type(detail).__name__}({detail})"
    if detail is None:
        return ""
    if isinstance(detail, dict):
        return " ".join(f"{key}={value}" for key, value in detail.items())
    return str(detail)[:160]
