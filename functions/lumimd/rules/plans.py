"""Find the clauses with the clinician's plans: imaging, next steps and advice."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lumimd.rules.clauses import clause_end
from lumimd.rules.plan_phrases import IDLE, NEEDS, PLANNED, TOLD, WORTH_A_LOOK, Topic
from lumimd.rules.sentences import Sentence, as_sentence
from lumimd.rules.speech_acts import asks, is_decided, is_spoken_by_clinician

_DENIED: Final = re.compile(
    r"\b(?:not|no|never|if|whether|could|might|maybe|did|have you|had|last|ago)\b"
)
_DENIED_WORDS: Final = 5
_OUR_HAVING: Final = re.compile(r"^(?:have|having) you\s+", re.IGNORECASE)
_FEWEST_WORDS: Final = 3


@dataclass(frozen=True)
class Clause:
    """A part of a sentence for the summary."""

    topic: Topic
    text: str
    evidence: tuple[str, ...]


def clauses_in(sentences: Sequence[Sentence]) -> list[Clause]:
    """Return all clauses of the three topics, in order, each text once."""
    found: dict[tuple[Topic, str], Clause] = {}
    for sentence in sentences:
        if asks(sentence) or not WORTH_A_LOOK.search(sentence.plain):
            continue
        for clause in _clauses(sentence):
            found.setdefault((clause.topic, clause.text.lower()), clause)
    imaging = {clause.text for clause in found.values() if clause.topic == "imaging"}
    return [
        clause
        for clause in found.values()
        if clause.topic != "next_steps" or clause.text not in imaging
    ]


def _clauses(sentence: Sentence) -> Iterator[Clause]:
    """Yield the clauses of a sentence; of overlapping clauses of one topic, the first counts."""
    taken: dict[Topic, int] = {}
    for topic, match, is_plan in _matches(sentence):
        start, end = match.start(), clause_end(sentence, match.start())
        words = sentence.plain[start:end]
        if end < match.end() or start < taken.get(topic, 0) or len(words.split()) < _FEWEST_WORDS:
            continue
        if IDLE.search(words) or not is_spoken_by_clinician(sentence, words):
            continue
        if is_plan and not is_decided(sentence, start, match.end()):
            continue
        before = " ".join(sentence.plain[:start].split()[-_DENIED_WORDS:])
        if topic == "imaging" and not is_plan and _DENIED.search(before):
            continue
        taken[topic] = end
        text = as_sentence(_OUR_HAVING.sub("", sentence.said(start, end)))
        yield Clause(topic, text, sentence.evidence(start, end))


def _matches(sentence: Sentence) -> Iterator[tuple[Topic, re.Match[str], bool]]:
    """Yield the matches of the patterns: topic, match, and whether it is a plan."""
    for topic, pattern in PLANNED:
        for match in _found(pattern, sentence.plain):
            yield topic, match, True
    for topic, pattern in TOLD:
        # The start of a sentence is certain only after a mark.
        if sentence.mark or not pattern.pattern.startswith("^"):
            for match in _found(pattern, sentence.plain):
                yield topic, match, False


def _found(pattern: re.Pattern[str], plain: str) -> Iterator[re.Match[str]]:
    needed = NEEDS.get(pattern)
    return pattern.finditer(plain) if needed is None or needed.search(plain) else iter(())
