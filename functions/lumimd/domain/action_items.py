"""Action items of a visit, with deterministic ids: a repeated save writes the same documents."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256

from lumimd.domain.clinical import VisitSummary
from lumimd.domain.transcript import Transcript
from lumimd.domain.visit import Action, Visit


def action_items(
    visit: Visit, summary: VisitSummary, transcript: Transcript, now: datetime
) -> tuple[Action, ...]:
    """The action items of `summary` as documents, in its order."""
    texts = {each.id: each.text for each in transcript.utterances}
    return tuple(
        Action(
            action_id=action_id(visit, position),
            visit_id=visit.visit_id,
            user_id=visit.user_id,
            text=item.text,
            extracted_text=item.text,
            evidence=tuple(item.evidence),
            said=_said(item.evidence, texts),
            due=item.due,
            created_at=now,
        )
        for position, item in enumerate(summary.action_items)
    )


def _said(evidence: Sequence[str], texts: Mapping[str, str]) -> str | None:
    """A hash of the cited words, which outlast the ids of utterances in a new transcript."""
    words = "\n".join(texts.get(each, "") for each in evidence)
    return sha256(words.encode()).hexdigest()[:32] if words.strip() else None


def action_id(visit: Visit, position: int) -> str:
    """A deterministic id from the visit, the attempt and the position.

    The position comes last, zero-padded: ids sort in the order of the items.
    """
    digest = sha256(f"{visit.visit_id}/{visit.attempt}".encode()).hexdigest()[:20]
    return f"{digest}-{position:03d}"
