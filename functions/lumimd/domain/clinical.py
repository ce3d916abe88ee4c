"""The summary of a visit: statements, each with evidence in the transcript.

One schema serves the model provider (structured output), the store and the clients.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import Field

from lumimd.domain.document import Document

Source = Literal["model", "rules"]
"""The author of a summary: a language model, or deterministic rules that need no model."""


class Evidenced(Document):
    """Something said in the visit, with the ids of the utterances it rests on (at least one)."""

    evidence: list[str] = Field(description="Ids of the utterances that say this, e.g. ['u4'].")


class Statement(Evidenced):
    """One sentence of plain text."""

    text: str = Field(description="One short, plain sentence.")


class Diagnosis(Evidenced):
    """A condition that the clinician named as the patient's own."""

    name: str = Field(description="The condition as the clinician named it.")


class Medication(Evidenced):
    """A medication, with dose and frequency only where they were said."""

    name: str = Field(description="The name of the drug, without dose.")
    dose: str | None = Field(description="For example '10 mg'. Null when it was not said.")
    frequency: str | None = Field(
        description="For example 'twice a day'. Null when it was not said."
    )


class Medications(Document):
    """The medications that this visit started, stopped or changed; others are not listed."""

    started: list[Medication]
    stopped: list[Medication]
    changed: list[Medication] = Field(description="Dose and frequency are the new ones.")


class ActionItem(Evidenced):
    """Something that the patient has to do after the visit."""

    text: str = Field(description="An imperative sentence addressed to the patient.")
    due: str | None = Field(
        description="When, in the words of the visit: 'in two weeks'. Null when it was not said."
    )


class VisitSummary(Document):
    """The structured summary of a visit. Empty lists mean that nothing of the kind was said."""

    summary: list[Statement] = Field(description="The visit in two to eight sentences, in order.")
    diagnoses: list[Diagnosis]
    medications: Medications
    imaging: list[Statement] = Field(description="Imaging ordered or discussed.")
    next_steps: list[Statement] = Field(description="What happens next: follow-up, referrals.")
    education: list[Statement] = Field(description="What the patient was taught or warned of.")
    action_items: list[ActionItem]

    def lists(self) -> tuple[Sequence[Evidenced], ...]:
        """Return every list of statements, in the order of the fields."""
        return (
            self.summary,
            self.diagnoses,
            self.medications.started,
            self.medications.stopped,
            self.medications.changed,
            self.imaging,
            self.next_steps,
            self.education,
            self.action_items,
        )

    def evidenced(self) -> Iterator[Evidenced]:
        """Yield every statement of the summary, in the order of the fields."""
        for each in self.lists():
            yield from each
