"""The measures of a release: outcomes, delays, durations and queue depths in a span of time.

As JSON (times in milliseconds; every list may be empty):

    {"outcomes": {"completed": 98, "failed": 2},
     "stageDelaysMs": {"submission": TIMES, "transcription": TIMES, "summary": TIMES},
     "visitDurationsMs": TIMES,
     "queueDepths": [0, 3, 1],
     "revisions": ["api-00004-new"]}

`revisions` are the measured revisions. A task does not belong to a revision, so the depths count
the tasks of all revisions.

TIMES are the values themselves, `[812, 1044]`, or a histogram of upper bounds and counts,
`[[1000, 17], [2000, 4]]`. Each value in a histogram counts as its upper bound, the worst case.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt
from pydantic.alias_generators import to_camel

Counted = tuple[NonNegativeFloat, NonNegativeInt]

COUNTED_OUTCOMES: Final = ("completed", "failed")
"""All other outcomes depend on the owner of the visit, and do not show whether a release works."""


@dataclass(frozen=True)
class Times:
    """Durations in milliseconds, shortest first, each with the number of its occurrences."""

    counted: Sequence[tuple[float, int]]

    @classmethod
    def of(cls, values: Sequence[float] | Sequence[Counted]) -> "Times":
        """Create from single values, or from a histogram of (upper bound, count) pairs."""
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
        """Return the smallest value that at least `percent` of the values do not exceed.

        A `percent` of 0 returns the shortest value.
        """
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
        """The number of visits with one of COUNTED_OUTCOMES."""
        return sum(self.outcomes.get(outcome, 0) for outcome in COUNTED_OUTCOMES)

    @property
    def success(self) -> float | None:
        """The share of the ended visits that completed, 0 to 1; None if no visit ended."""
        return self.outcomes.get("completed", 0) / self.ended if self.ended else None

    @property
    def delays(self) -> dict[str, Times]:
        """The delays by stage: time beyond the expected time for the length of the recording."""
        return {stage: Times.of(values) for stage, values in sorted(self.stage_delays_ms.items())}

    @property
    def durations(self) -> Times:
        """The durations from the upload to the finished summary."""
        return Times.of(self.visit_durations_ms)

    @classmethod
    def read(cls, text: str) -> "Measures":
        """Parse measures from a JSON text.

        Raises:
            pydantic.ValidationError: the text does not have the shape of measures.
        """
        return cls.model_validate_json(text)

    def to_json(self) -> dict[str, Any]:
        """Return the measures as an object for JSON."""
        return self.model_dump(mode="json", by_alias=True)
