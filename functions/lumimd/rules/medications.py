"""Find the medications that the clinician starts, stops or changes in this visit.

A wrong medication fact is worse than a missing one. So a drug counts only as the object of a
prescribing verb (`prescribing.py`), directly after deciding words (`speech_acts.py`), and only if
no other words undo the decision.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from lumimd.rules.discourse import REACH, Decision, Discourse, Named
from lumimd.rules.drugs import Mention
from lumimd.rules.prescribing import (
    AND_DRUG,
    NEEDS,
    NEEDS_NEW_DOSE,
    NOT_THE_DRUG,
    PATTERNS,
    REFUSED,
    WORTH_A_LOOK,
    Kind,
)
from lumimd.rules.regimens import Regimen, first_dose, read_regimen
from lumimd.rules.speech_acts import asks, is_decided, is_order, is_spoken_by_clinician


def decisions_in(visit: Discourse) -> list[Decision]:
    """Return the visit's decisions about drugs, in order, without contradictory ones."""
    decided: list[Decision] = []
    for at, sentence in enumerate(visit.sentences):
        # A decision needs a drug in this sentence or in the `REACH` sentences before it.
        if not any(visit.mentions[max(0, at - REACH) : at + 1]):
            continue
        if not visit.mentions[at] and not WORTH_A_LOOK.search(sentence.plain):
            continue
        marked = _marked(sentence.plain, visit.mentions[at])
        refused = {
            mention.drug.substance
            for match in REFUSED.finditer(marked)
            for mention in visit.mentions[at]
            if mention.start == match.start("drug")
        }
        decided = [known for known in decided if known.substance not in refused]
        if not asks(sentence):
            decided.extend(_decisions(visit, at, marked))
    return _agreed_on(decided)


def _agreed_on(decided: Sequence[Decision]) -> list[Decision]:
    """Return one decision per drug; a drug both stopped and started is ambiguous and left out."""
    by_substance: dict[str, list[Decision]] = {}
    for decision in decided:
        by_substance.setdefault(decision.substance, []).append(decision)
    agreed: list[Decision] = []
    for same in by_substance.values():
        kinds = {decision.kind for decision in same}
        if "stopped" in kinds and len(kinds) > 1:
            continue
        # 'Start 5 mg, then we increase it to 10 mg' is a start; the rest is its plan.
        kept = [decision for decision in same if decision.kind == same[0].kind]
        agreed.append(
            replace(
                kept[0],
                dose=_the_only({decision.dose for decision in kept}),
                frequency=_the_only({decision.frequency for decision in kept}),
                evidence=tuple(dict.fromkeys(id_ for each in kept for id_ in each.evidence)),
            )
        )
    return agreed


def _the_only(said: set[str | None]) -> str | None:
    """Return the only value that was said; None if there is none, or if the statements differ."""
    values = said - {None}
    return values.pop() if len(values) == 1 else None


def _marked(plain: str, mentions: Sequence[Mention]) -> str:
    """Return the text with drug names in capitals, every offset unchanged."""
    for start, end, _ in mentions:
        plain = plain[:start] + plain[start:end].upper().replace(" ", "_") + plain[end:]
    return plain


def _decisions(visit: Discourse, at: int, marked: str) -> Iterator[Decision]:
    """Yield the decisions of one sentence; of overlapping patterns, the first listed one counts."""
    sentence, taken = visit.sentences[at], 0
    found = sorted(
        (
            (match.start(), rank, kind, match)
            for rank, (kind, pattern) in enumerate(PATTERNS)
            if NEEDS[rank].search(marked)
            for match in pattern.finditer(marked)
        ),
        key=lambda item: item[:2],
    )
    for start, _, kind, match in found:
        if start < taken:
            continue
        if "other" in match.groupdict():
            decisions, end = _switched(visit, at, match)
        else:
            decisions, end = _planned(visit, at, marked, kind, match)
        if not is_spoken_by_clinician(sentence, marked[start:end].lower()):
            continue
        if match["lead"] in ("", "just ", "also ", "then ") and not is_order(sentence, start):
            continue
        if decisions and is_decided(sentence, start, end):
            taken = end
            yield from decisions


def _target(visit: Discourse, at: int, match: re.Match[str], group: str) -> Named | None:
    """Return the drug that a group of a match names or, by 'it' or 'that one', refers to."""
    if group == "drug" and "one" in match.groupdict():
        return visit.antecedent(at, match.start("one"))
    for mention in visit.mentions[at]:
        if mention.start == match.start(group):
            return Named(visit.sentences[at], mention)
    return None


def _switched(visit: Discourse, at: int, match: re.Match[str]) -> tuple[list[Decision], int]:
    """Read 'switch you from one drug to another': stop the first drug and start the second."""
    old, new = _target(visit, at, match, "drug"), _target(visit, at, match, "other")
    if old is None or new is None or old.mention.drug.substance == new.mention.drug.substance:
        return [], match.end()
    sentence = visit.sentences[at]
    before = first_dose(sentence.plain[match.end("to") : match.start("other")])
    regimen = read_regimen(sentence.plain, match.end(), before)
    evidence = sentence.evidence(match.start(), regimen.end)
    return [
        old.decided("stopped", Regimen(None, None, match.end()), evidence),
        new.decided("started", *_completed(visit, at, regimen, evidence)),
    ], regimen.end


@dataclass(frozen=True)
class _Phrase:
    """The words around a drug; `between` stands between the deciding words and the drug's name."""

    kind: Kind
    between: str
    verb: str = ""
    amount: str | None = None
    only_takes: bool = False
    is_tried: bool = False
    refers_back: bool = False
    needs_regimen: bool = False

    @classmethod
    def of(cls, kind: Kind, marked: str, match: re.Match[str]) -> "_Phrase":
        groups = match.groupdict()
        verb = (groups.get("verb") or "").split(" ")[0]
        return cls(
            kind=kind,
            between=marked[match.end("lead") : match.start("one" if "one" in groups else "drug")],
            verb=verb,
            amount=groups.get("amount"),
            only_takes="take" in groups,
            is_tried="try" in match["lead"].split(),
            refers_back="one" in groups,
            needs_regimen=verb in NEEDS_NEW_DOSE or "one" in groups,
        )


def _planned(
    visit: Discourse, at: int, marked: str, kind: Kind, match: re.Match[str]
) -> tuple[list[Decision], int]:
    """Read one drug, and the drugs that follow with 'and', each with its own dose and frequency."""
    sentence, phrase = visit.sentences[at], _Phrase.of(kind, marked, match)
    drug, start, end = _target(visit, at, match, "drug"), match.start(), match.end()
    decisions: list[Decision] = []
    while drug is not None and not NOT_THE_DRUG.match(marked, end):
        regimen = _regimen(phrase, sentence.plain, end)
        if not _is_convincing(phrase, visit, at, drug, regimen):
            break
        evidence, end = sentence.evidence(start, regimen.end), regimen.end
        following = AND_DRUG.match(marked, end)
        if following and following["joint"] == "or" and kind != "stopped":
            # 'Lisinopril or losartan': the clinician has chosen neither.
            return [], following.end()
        if following is None:
            if kind != "stopped":
                regimen, evidence = _completed(visit, at, regimen, evidence)
            decisions.append(drug.decided(kind, regimen, evidence))
            break
        decisions.append(drug.decided(kind, regimen, evidence))
        drug, start = _target(visit, at, following, "drug"), following.start()
        end = following.end()
        between = marked[start : following.start("drug")]
        phrase = _Phrase(kind, between, only_takes=phrase.only_takes, needs_regimen=True)
    return decisions, end


def _regimen(phrase: _Phrase, plain: str, end: int) -> Regimen:
    """Read the dose and frequency said around a drug's name, which ends at `end`."""
    if phrase.amount:
        return read_regimen(plain, end, first_dose(phrase.amount.rpartition("to ")[2]))
    if phrase.kind != "changed":
        return read_regimen(plain, end, first_dose(phrase.between))
    regimen = read_regimen(plain, end)
    if " to " not in plain[end : regimen.end]:
        # 'Increase your metformin 500 mg' may mean by or to: only a 'to' gives a new dose.
        return regimen._replace(dose=None)
    return regimen


def _is_convincing(
    phrase: _Phrase, visit: Discourse, at: int, drug: Named, regimen: Regimen
) -> bool:
    """Return whether the phrase around the drug has only one reading."""
    if not drug.mention.drug.certain and regimen.dose is None:
        return False
    if phrase.kind == "stopped":
        # 'Stop taking it at night' or 'with food' changes how the drug is taken. 'Try to get you
        # off it' states a hope, not a decision.
        return regimen.frequency is None and not phrase.is_tried
    if phrase.kind == "changed":
        # 'Lower it to 7 percent' is about a test result.
        is_result = phrase.refers_back and (regimen.dose or "").endswith(("%", " g"))
        return not (phrase.needs_regimen and regimen.is_empty) and not is_result
    if phrase.only_takes:
        # 'Take' starts a drug only if no speaker named it before and a dose is given.
        substance = drug.mention.drug.substance
        return regimen.dose is not None and not visit.was_named_before(at, substance)
    # 'Prescribe your lisinopril' renews a drug that the patient already takes.
    return "your" not in phrase.between.split() or "restart" in phrase.between


def _completed(
    visit: Discourse, at: int, regimen: Regimen, evidence: tuple[str, ...]
) -> tuple[Regimen, tuple[str, ...]]:
    """Complete the regimen and its evidence by later sentences."""
    if regimen.dose and regimen.frequency:
        return regimen, evidence
    whole, more = visit.continued(at, regimen)
    return whole, evidence + more
