"""The measures of a release in a span of time: outcomes, delays, durations and queue depths.

As JSON (times in milliseconds; every list may be empty):

    {"outcomes": {"completed": 98, "failed": 2},
     "stageDelaysMs": {"submission": TIMES, "transcription": TIMES, "summary": TIMES},
     "visitDurationsMs": TIMES,
     "queueDepths": [0, 3, 1],
     "revisions": ["api-00004-new"]}

`revisions` are the measured revisions. A task belongs to no revision, so the depths are those of
the whole queue.

TIMES are the values themselves, `[812, 1044]`, or a histogram of upper bounds and counts,
`[[1000, 17], [2000, 4]]`. Each value of a histogram counts as its upper bound: the worst case.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt
from pydantic.alias_generators import to_camel

Counted = tuple[NonNegativeFloat, NonNegativeInt]

COUNTED_OUTCOMES: Final = ("completed", "failed")
"""Visits that their owner cancelled or has to repair say nothing about a release."""


@dataclass(frozen=True)
class Times:
    """Durations in milliseconds, each with its count, shortest first."""

    counted: Sequence[tuple[float, int]]

    @classmethod
    def of(cls, values: Sequence[float] | Sequence[Counted]) -> "Times":
        """The values, or a histogram of them."""
        pairs = [each if isinstance(each, tuple) else (each, 1) for each in values]
        return cls(sorted((float(value), count) for value, count in pairs if count))

    @property
    def count(self) -> int:
        """The number of values."""
        return sum(count for _, count in self.counted)

    @property
    def mean(self) -> float | None:
        """The mean; None without values."""
        total = sum(value * count for value, count in self.counted)
        return total / self.count if self.count else None

    def percentile(self, percent: float) -> float | None:
        """The smallest value that at least `percent` of them do not exceed; 0 is the shortest."""
        seen, rank = 0, self.count * percent / 100
        for value, count in self.counted:
            seen += count
            if seen >= rank:
                return value
        return None


class Measures(BaseModel):
    """The measures of one release."""

    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, populate_by_name=True, extra="forbid"
    )

    outcomes: dict[str, NonNegativeInt]
    stage_delays_ms: dict[str, list[Counted] | list[NonNegativeFloat]] = Field(default_factory=dict)
    visit_durations_ms: list[Counted] | list[NonNegativeFloat] = Field(default_factory=list)
    queue_depths: Annotated[list[NonNegativeFloat], Field(default_factory=list)]
    revisions: list[str] = Field(default_factory=list)

    @property
    def ended(self) -> int:
        """The number of visits with a counted outcome."""
        return sum(self.outcomes.get(outcome, 0) for outcome in COUNTED_OUTCOMES)

    @property
    def success(self) -> float | None:
        """The completed share of these visits; None without visits."""
        return self.outcomes.get("completed", 0) / self.ended if self.ended else None

    @property
    def delays(self) -> dict[str, Times]:
        """By stage, the time beyond the expected time for the length of the recording."""
        return {stage: Times.of(values) for stage, values in sorted(self.stage_delays_ms.items())}

    @property
    def durations(self) -> Times:
        """From the upload to the finished summary."""
        return Times.of(self.visit_durations_ms)

    @classmethod
    def read(cls, text: str) -> "Measures":
        """The measures in a JSON text.

        Raises:
            pydantic.ValidationError: the text has another shape.
        """
        return cls.model_validate_json(text)

    def to_json(self) -> dict[str, Any]:
        """These measures as JSON."""
        return self.model_dump(mode="json", by_alias=True)
