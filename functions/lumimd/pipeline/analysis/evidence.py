"""Keep the statements of a model's answer that cite utterances of the transcript."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from lumimd.domain.clinical import Evidenced, VisitSummary
from lumimd.domain.transcript import Transcript

MAX_EVIDENCE: Final = 20
"""The most utterances that one statement cites; of a longer list, the first ones are kept."""

_AROUND: Final = " \t\r\n\"'`()[]{}<>.,;:#"
_SEVERAL: Final = re.compile(r"[\s,;]+")
_RANGE: Final = re.compile(r"\s*(?:-|\u2013|\u2014|\bto\b)\s*")

_Statement = TypeVar("_Statement", bound=Evidenced)


@dataclass(frozen=True)
class Supported:
    """The statements that cite existing utterances, and the number of statements left out."""

    summary: VisitSummary
    left_out: int

    @property
    def kept(self) -> int:
        """Return the number of statements that are left."""
        return sum(1 for _ in self.summary.evidenced())


def supported(summary: VisitSummary, transcript: Transcript) -> Supported:
    """Return the answer without unsupported statements, citing ids as the transcript has them."""
    ids = Ids(transcript)
    left_out = 0

    def rest(statements: Iterable[_Statement]) -> list[_Statement]:
        nonlocal left_out
        kept = []
        for each in statements:
            evidence = ids.meant_by(each.evidence)
            if evidence:
                kept.append(each.model_copy(update={"evidence": evidence}))
            else:
                left_out += 1
        return kept

    kept = VisitSummary(
        summary=rest(summary.summary),
        diagnoses=rest(summary.diagnoses),
        medications=summary.medications.model_copy(
            update={
                "started": rest(summary.medications.started),
                "stopped": rest(summary.medications.stopped),
                "changed": rest(summary.medications.changed),
            }
        ),
        imaging=rest(summary.imaging),
        next_steps=rest(summary.next_steps),
        education=rest(summary.education),
        action_items=rest(summary.action_items),
    )
    return Supported(kept, left_out)


class Ids:
    """The utterance ids of a transcript, found even if a model spells them differently."""

    def __init__(self, transcript: Transcript) -> None:
        self._ids = [utterance.id for utterance in transcript.utterances]
        places = {id_: place for place, id_ in enumerate(self._ids)}
        self._places: Mapping[str, int] = {
            **{id_.casefold(): place for id_, place in places.items()},
            **places,  # an exactly spelled id takes precedence
        }

    def meant_by(self, evidence: Iterable[str]) -> list[str]:
        """Return the cited ids, each id once, in the order of the citation.

        `U4`, ` u4 ` and `[u4]` mean u4; `u1, u2` and `u1-u2` mean u1 and u2. Unknown ids are left
        out.
        """
        places = dict.fromkeys(place for cited in evidence for place in self._cited(cited))
        return [self._ids[place] for place in list(places)[:MAX_EVIDENCE]]

    def _cited(self, cited: str) -> Iterable[int]:
        place = self._place(cited)
        if place is not None:
            return [place]
        first, *others = _RANGE.split(cited.strip(_AROUND), maxsplit=1)
        if others:
            begin, end = self._place(first), self._place(others[0])
            if begin is not None and end is not None and 0 <= end - begin < MAX_EVIDENCE:
                return range(begin, end + 1)
        found = (self._place(each) for each in _SEVERAL.split(cited))
        return [each for each in found if each is not None]

    def _place(self, id_: str) -> int | None:
        written = id_.strip(_AROUND)
        return self._places.get(written, self._places.get(written.casefold()))
