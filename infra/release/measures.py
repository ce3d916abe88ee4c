"""What was measured of a release in some time: how the visits ended, how long it took, who waits.

As JSON (times in milliseconds; every list may be empty):

    {"outcomes": {"completed": 98, "failed": 2},
     "stageDelaysMs": {"submission": TIMES, "transcription": TIMES, "summary": TIMES},
     "visitDurationsMs": TIMES,
     "queueDepths": [0, 3, 1],
     "revisions": ["api-00004-new"]}

`revisions` are those that were measured. A task belongs to no revision, so the depths are the
queue's.

TIMES are the values themselves, `[812, 1044]`, or a histogram, `[[1000, 17], [2000, 4]]`: so many
up to so much. A histogram is read against the release: each value counts as the upper bound.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt
from pydantic.alias_generators import to_camel

Counted = tuple[NonNegativeFloat, NonNegativeInt]

COUNTED_OUTCOMES: Final = ("completed", "failed")
"""What the owner stopped, or has to mend, says nothing about a release."""


@dataclass(frozen=True)
class Times:
    """Durations in milliseconds, each with how often it was seen, the shortest first."""

    counted: Sequence[tuple[float, int]]

    @classmethod
    def of(cls, values: Sequence[float] | Sequence[Counted]) -> "Times":
        """The values, or a histogram of them."""
        pairs = [each if isinstance(each, tuple) else (each, 1) for each in values]
        return cls(sorted((float(value), count) for value, count in pairs if count))

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(count for _, count in self.counted)

    @property
    def mean(self) -> float | None:
        """Their mean; None where there are none."""
        total = sum(value * count for value, count in self.counted)
        return total / self.count if self.count else None

    def percentile(self, percent: float) -> float | None:
        """The smallest value that at least `percent` of them do not exceed; 0 is the shortest."""
        seen, wanted = 0, self.count * percent / 100
        for value, count in self.counted:
            seen += count
            if seen >= wanted:
                return value
        return None


class Measures(BaseModel):
    """What was measured of one release."""

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
        """The visits that say something about the release."""
        return sum(self.outcomes.get(outcome, 0) for outcome in COUNTED_OUTCOMES)

    @property
    def success(self) -> float | None:
        """The share of them that was completed; None where there are none."""
        return self.outcomes.get("completed", 0) / self.ended if self.ended else None

    @property
    def delays(self) -> dict[str, Times]:
        """What each stage took beyond what the length of the recording explains."""
        return {stage: Times.of(values) for stage, values in sorted(self.stage_delays_ms.items())}

    @property
    def durations(self) -> Times:
        """From the upload to the finished summary."""
        return Times.of(self.visit_durations_ms)

    @classmethod
    def read(cls, text: str) -> "Measures":
        """The measures that a file holds.

        Raises:
            pydantic.ValidationError: it holds something else.
        """
        return cls.model_validate_json(text)

    def to_json(self) -> dict[str, Any]:
        """These measures as JSON."""
        return self.model_dump(mode="json", by_alias=True)
