"""Resolve references between sentences: 'that one', and a dose given in a later sentence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from lumimd.rules.drugs import Mention, mentions_in
from lumimd.rules.prescribing import GOES_ON, OTHER_HABIT, Kind
from lumimd.rules.regimens import Regimen, read_regimen
from lumimd.rules.sentences import Sentence

REACH: Final = 4
"""The sentences before 'that one' in which its drug is searched."""

CONTINUES_WITHIN: Final = 3
"""The sentences after a drug in which its dose may follow, including the patient's 'okay'."""

BACKCHANNEL_WORDS: Final = 4


@dataclass(frozen=True)
class Decision:
    """One drug started, stopped or changed, and the ids of the utterances that decide it."""

    kind: Kind
    substance: str
    name: str
    dose: str | None
    frequency: str | None
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class Named:
    """A drug that a sentence names."""

    sentence: Sentence
    mention: Mention

    @property
    def name(self) -> str:
        """The name as transcribed, even if misheard: a correction could name another drug."""
        return self.sentence.said(self.mention.start, self.mention.end)

    @property
    def evidence(self) -> tuple[str, ...]:
        """The id of the utterance that names the drug."""
        return self.sentence.evidence(self.mention.start, self.mention.end)

    def decided(self, kind: Kind, regimen: Regimen, evidence: tuple[str, ...]) -> Decision:
        """Return the decision about this drug; `evidence` covers the deciding words."""
        return Decision(
            kind=kind,
            substance=self.mention.drug.substance,
            name=self.name,
            dose=regimen.dose,
            frequency=regimen.frequency,
            evidence=tuple(dict.fromkeys(self.evidence + evidence)),
        )


@dataclass(frozen=True)
class Discourse:
    """The sentences of a visit, with the drugs that each sentence names."""

    sentences: Sequence[Sentence]
    mentions: Sequence[tuple[Mention, ...]]

    @classmethod
    def of(cls, sentences: Sequence[Sentence]) -> Self:
        """Look up the drugs of the sentences."""
        return cls(sentences, [mentions_in(sentence) for sentence in sentences])

    def antecedent(self, at: int, start: int) -> Named | None:
        """Return the one drug that 'it', at `start` of sentence `at`, can mean, or None."""
        for back in range(at, max(-1, at - REACH - 1), -1):
            sentence, end = self.sentences[back], start if back == at else None
            if OTHER_HABIT.search(sentence.plain[:end]):
                return None
            before = [m for m in self.mentions[back] if end is None or m.end <= end]
            if before:
                only = {mention.drug.substance for mention in before}
                return Named(sentence, before[-1]) if len(only) == 1 else None
        return None

    def was_named_before(self, at: int, substance: str) -> bool:
        """Return whether any speaker named the drug earlier; the patient may take it already."""
        return any(m.drug.substance == substance for named in self.mentions[:at] for m in named)

    def continued(self, at: int, regimen: Regimen) -> tuple[Regimen, tuple[str, ...]]:
        """Complete the regimen by the same speaker's next words; return it with their evidence."""
        speaker = self.sentences[at].speaker
        if self.sentences[at].words[-1].plain[-1].isdigit():
            # 'Twelve. Five milligrams': the recognizer split one number into two sentences.
            return regimen, ()
        for number in range(at + 1, min(at + 1 + CONTINUES_WITHIN, len(self.sentences))):
            sentence = self.sentences[number]
            if sentence.speaker != speaker:
                if len(sentence.words) <= BACKCHANNEL_WORDS:
                    continue
                break
            match = GOES_ON.match(sentence.plain)
            if self.mentions[number] or match is None or sentence.is_question:
                break
            more = read_regimen(sentence.plain, match.end())
            if not more.is_empty and (regimen.dose is None or more.dose in (None, regimen.dose)):
                joined = Regimen(
                    regimen.dose or more.dose, regimen.frequency or more.frequency, regimen.end
                )
                return joined, sentence.evidence(0, more.end)
            break
        return regimen, ()
