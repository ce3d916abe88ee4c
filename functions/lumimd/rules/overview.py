"""Give the visit in a few sentences: quotations, and lists of the other rules' results.

Sentences are quoted and never paraphrased, so that the overview adds no statement.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from lumimd.domain.clinical import Statement
from lumimd.domain.transcript import Role, Transcript
from lumimd.rules.diagnoses import Finding
from lumimd.rules.discourse import Decision
from lumimd.rules.patterns import compiled
from lumimd.rules.plans import Clause
from lumimd.rules.sentences import Sentence, as_sentence, shortened
from lumimd.rules.speech_acts import asks

MOST_SENTENCES: Final = 8
FEWEST_SENTENCES: Final = 2
LISTED: Final = 5
"""The most drugs or conditions in one sentence, because each needs its own evidence."""

_COMPLAINT: Final = compiled(r"""
    \b(?:pain\w*|hurts?|hurting|ache\w*|aching|sore\w*|cough\w*|fever\w*|tired|fatigue|
    dizz\w+|nausea\w*|vomit\w*|sick|swell\w*|swollen|rash|itch\w*|burning|bleed\w*|
    breath\w*|headaches?|numb\w*|weak\w*|trouble|stiff\w*|cramp\w*|diarrhea|constipat\w+|
    sleep\w*|anxious|worried|fell|injur\w+|lump|tight\w*|refill|check ?up|follow up)\b
""")
_OWN: Final = re.compile(r"\b(?:i|my|me)\b")
_DENIAL: Final = re.compile(r"^(?:no|nope|not|never|i do not|i have not)\b")
_COMPLAINT_WORDS: Final = 5
_COMPLAINTS: Final = 2


def overview(
    transcript: Transcript,
    sentences: Sequence[Sentence],
    findings: Sequence[Finding],
    decisions: Sequence[Decision],
    clauses: Sequence[Clause],
) -> list[Statement]:
    """Return at most eight statements, and at least one unless the transcript is silent."""
    statements = [
        *_complaints(sentences),
        *_listed("Diagnoses named", [(each.name, each.evidence) for each in findings]),
        *_quoted("Imaging", "imaging", clauses),
        *_drugs(decisions),
        *_quoted("Next steps", "next_steps", clauses),
        *_quoted("Advice", "education", clauses),
    ]
    if len(statements) < FEWEST_SENTENCES:
        statements = [*_openings(transcript), *statements]
    return statements[:MOST_SENTENCES]


def _complaints(sentences: Sequence[Sentence]) -> Iterator[Statement]:
    """Yield the patient's complaints: the first statements about the patient's own body."""
    found = 0
    for sentence in sentences:
        if sentence.role is not Role.PATIENT or asks(sentence) or found == _COMPLAINTS:
            continue
        plain = sentence.plain
        if (
            len(sentence.words) >= _COMPLAINT_WORDS
            and _OWN.search(plain)
            and _COMPLAINT.search(plain)
            and not _DENIAL.match(plain)
        ):
            found += 1
            yield Statement(
                text=f"The patient said: “{shortened(as_sentence(sentence.said()))}”",
                evidence=list(sentence.evidence()),
            )


def _drugs(decisions: Sequence[Decision]) -> Iterator[Statement]:
    for kind in ("started", "stopped", "changed"):
        yield from _listed(
            f"Medications {kind}",
            [(_regimen(each), each.evidence) for each in decisions if each.kind == kind],
        )


def _regimen(decision: Decision) -> str:
    details = ", ".join(filter(None, (decision.dose, decision.frequency)))
    return f"{decision.name} ({details})" if details else decision.name


def _listed(title: str, items: Sequence[tuple[str, tuple[str, ...]]]) -> Iterator[Statement]:
    """Yield one sentence that lists the items, with evidence for each."""
    names: list[str] = []
    evidence: list[str] = []
    for name, ids in items:
        added = [id_ for id_ in ids if id_ not in evidence]
        if names and len(evidence) + len(added) > LISTED:
            break
        names.append(name)
        evidence.extend(added)
    if names:
        yield Statement(text=f"{title}: {', '.join(names)}.", evidence=evidence)


def _quoted(title: str, topic: str, clauses: Sequence[Clause]) -> Iterator[Statement]:
    """Yield the first clause of a topic, in the words of the visit."""
    for clause in clauses:
        if clause.topic == topic:
            yield Statement(text=f"{title}: “{clause.text}”", evidence=list(clause.evidence))
            return


def _openings(transcript: Transcript) -> Iterator[Statement]:
    """Yield the longest of the first utterances, the last resort if no rule finds anything."""
    spoken = [each for each in transcript.utterances if each.text.strip()][:20]
    chosen = sorted(spoken, key=lambda each: -len(each.text))[:FEWEST_SENTENCES]
    for utterance in spoken:
        if utterance in chosen:
            said = shortened(as_sentence(utterance.text) or utterance.text.strip())
            who = "A speaker" if utterance.role is Role.UNKNOWN else f"The {utterance.role}"
            yield Statement(text=f"{who} said: “{said}”", evidence=[utterance.id])
