"""Action items of a visit, with ids that come out the same however often they are made."""

from datetime import datetime
from hashlib import sha256

from lumimd.clinical import VisitSummary
from lumimd.records import Action, Visit


def action_items(visit: Visit, summary: VisitSummary, now: datetime) -> tuple[Action, ...]:
    """The documents of the action items in `summary`, in its order."""
    return tuple(
        Action(
            action_id=action_id(visit, position),
            visit_id=visit.visit_id,
            user_id=visit.user_id,
            text=item.text,
            evidence=tuple(item.evidence),
            due=item.due,
            created_at=now,
        )
        for position, item in enumerate(summary.action_items)
    )


def action_id(visit: Visit, position: int) -> str:
    """Made from the visit, the attempt and the position: made twice, it is written once.

    The position comes last and zero-padded: sorted by id, the items are in their order.
    """
    digest = sha256(f"{visit.visit_id}/{visit.attempt}".encode()).hexdigest()[:20]
    return f"{digest}-{position:03d}"
