"""Decisions about drugs, and the agreement of several statements."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lumimd.rules.prescribing import Kind


@dataclass(frozen=True)
class Decision:
    """One drug started, stopped or changed, and the ids of the utterances that say so."""

    kind: Kind
    substance: str
    name: str
    dose: str | None
    frequency: str | None
    evidence: tuple[str, ...]


def agreed_on(decided: Sequence[Decision]) -> list[Decision]:
    """One decision per drug. A drug both stopped and started is ambiguous and left out."""
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
    """The only value that was said; None if there is none, or if the statements differ."""
    values = said - {None}
    return values.pop() if len(values) == 1 else None
