"""Action items of a visit, with deterministic ids: a second save writes the same documents."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256

from lumimd.domain.clinical import VisitSummary
from lumimd.domain.transcript import Transcript
from lumimd.domain.visit import Action, Visit


def action_items(
    visit: Visit, summary: VisitSummary, transcript: Transcript, now: datetime
) -> tuple[Action, ...]:
    """Return the action items of `summary` as documents, in the order of the summary."""
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
    """Return a hash of the cited words, which stay the same in a new transcript, unlike ids."""
    words = "\n".join(texts.get(each, "") for each in evidence)
    return sha256(words.encode()).hexdigest()[:32] if words.strip() else None


def action_id(visit: Visit, position: int) -> str:
    """Return an id that depends only on the visit, the attempt and the position.

    The zero-padded position comes last, so that ids sort in the order of the items.
    """
    digest = sha256(f"{visit.visit_id}/{visit.attempt}".encode()).hexdigest()[:20]
    return f"{digest}-{position:03d}"
