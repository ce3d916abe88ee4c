"""Make summaries that are valid for any transcript."""

from lumimd.domain.clinical import ActionItem, Medication, Medications, Statement, VisitSummary
from lumimd.domain.transcript import Transcript


def summary_of(transcript: Transcript) -> VisitSummary:
    """Return a summary whose medication and two action items all cite the first utterance."""
    cited = [transcript.utterances[0].id]
    return VisitSummary(
        summary=[Statement(text="The patient came with a cough.", evidence=cited)],
        diagnoses=[],
        medications=Medications(
            started=[
                Medication(
                    name="amoxicillin", dose="500 mg", frequency="3 times a day", evidence=cited
                )
            ],
            stopped=[],
            changed=[],
        ),
        imaging=[],
        next_steps=[],
        education=[],
        action_items=[
            ActionItem(text="Take the amoxicillin.", due=None, evidence=cited),
            ActionItem(text="Come back.", due="in two weeks", evidence=cited),
        ],
    )
