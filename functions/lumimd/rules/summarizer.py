"""Summarize by rules alone: the fallback if no language model answers, and for offline use.

The rules are deterministic and use no network. They prefer a missing statement to a wrong one: a
medication, diagnosis or task is listed only if the words of the visit have one reading.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

from lumimd.domain.clinical import (
    Diagnosis,
    Evidenced,
    Medication,
    Medications,
    Source,
    Statement,
    VisitSummary,
)
from lumimd.domain.speaker_roles import assign_roles
from lumimd.domain.transcript import Role, Transcript
from lumimd.rules.actions import actions_in
from lumimd.rules.diagnoses import findings_in
from lumimd.rules.discourse import Discourse
from lumimd.rules.medications import decisions_in
from lumimd.rules.overview import overview
from lumimd.rules.plan_phrases import Topic
from lumimd.rules.plans import clauses_in
from lumimd.rules.prescribing import Kind
from lumimd.rules.sentences import sentences_of, shortened

MAX_ITEMS: Final = 30
"""The most items of a list, so that a ten-hour visit's summary stays small in its document."""

MAX_EVIDENCE: Final = 5

_Item = TypeVar("_Item", bound=Evidenced)


class RulesSummarizer:
    """The `Summarizer` by rules, which needs only the transcript."""

    source: Source = "rules"

    async def summarize(self, transcript: Transcript) -> VisitSummary:
        """Return the summary of a transcript; it is empty for a silent transcript.

        A ten-hour transcript takes seconds, so the work runs in a thread beside the event loop.
        """
        return await asyncio.to_thread(summary_by_rules, transcript)


def summary_by_rules(transcript: Transcript) -> VisitSummary:
    """Return the rule-based summary of a transcript.

    The function is pure: the same transcript always has the same summary.
    """
    if all(utterance.role is Role.UNKNOWN for utterance in transcript.utterances):
        roles = assign_roles(transcript.utterances)
        transcript = transcript.model_copy(update={"utterances": roles})
    sentences = list(sentences_of(transcript.utterances))
    findings = findings_in(sentences)
    discourse = Discourse.of(sentences)
    decisions = decisions_in(discourse)
    clauses = clauses_in(sentences)
    order = {utterance.id: number for number, utterance in enumerate(transcript.utterances)}

    def kept(items: Iterable[_Item]) -> list[_Item]:
        """Return the first items, each with its first evidence in the order of the visit."""
        return [
            item.model_copy(update={"evidence": _first(item.evidence, order)})
            for item in list(items)[:MAX_ITEMS]
        ]

    def medications(kind: Kind) -> list[Medication]:
        return kept(
            Medication(
                name=each.name,
                dose=each.dose,
                frequency=each.frequency,
                evidence=list(each.evidence),
            )
            for each in decisions
            if each.kind == kind
        )

    def statements(topic: Topic) -> list[Statement]:
        return kept(
            Statement(text=shortened(each.text), evidence=list(each.evidence))
            for each in clauses
            if each.topic == topic
        )

    return VisitSummary(
        summary=kept(overview(transcript, sentences, findings, decisions, clauses)),
        diagnoses=kept(
            Diagnosis(name=each.name, evidence=list(each.evidence)) for each in findings
        ),
        medications=Medications(
            started=medications("started"),
            stopped=medications("stopped"),
            changed=medications("changed"),
        ),
        imaging=statements("imaging"),
        next_steps=statements("next_steps"),
        education=statements("education"),
        action_items=kept(
            each.model_copy(update={"text": shortened(each.text)}) for each in actions_in(discourse)
        ),
    )


def _first(evidence: Sequence[str], order: dict[str, int]) -> list[str]:
    return sorted(dict.fromkeys(evidence[:MAX_EVIDENCE]), key=lambda id_: order[id_])
