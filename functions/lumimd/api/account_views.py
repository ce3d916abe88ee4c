"""Views of an account: the user, their usage, the receipts of their deletions."""

from datetime import datetime
from typing import Any

from lumimd.domain.document import Document
from lumimd.domain.visit import Deletion
from lumimd.policies.token_bucket import Usage


class Me(Document):
    """The signed-in user."""

    user_id: str
    is_admin: bool
    tier: str
    preferences: dict[str, Any] | None


class LimitView(Document):
    """One limit: how much of it is used, and when it is restored in full."""

    name: str
    limit: int
    used: int
    left: int
    resets_at: datetime

    @classmethod
    def of(cls, name: str, usage: Usage) -> "LimitView":
        """The limit of that name."""
        return cls(name=name, **vars(usage))


class UsageView(Document):
    """The usage of a user since the beginning of the month, and the remainder of each limit."""

    tier: str
    since: datetime
    visits: int
    audio_seconds: float
    limits: tuple[LimitView, ...]


class DeletionView(Document):
    """The receipt of a deletion: the counts so far, by kind, and when the deletion was complete."""

    visit_id: str
    requested_at: datetime
    completed_at: datetime | None
    counts: dict[str, int]

    @classmethod
    def of(cls, deletion: Deletion) -> "DeletionView":
        """The part of a receipt that the owner of the visit sees."""
        return cls.model_validate(deletion.model_dump())


class Erased(Document):
    """The outcome of deleting a user. The receipt of each visit is at `/v1/deletions`.

    Where it is not `complete`, the rest is deleted within minutes, without another request.
    """

    deleted_visits: tuple[str, ...]
    kept_for_legal_reasons: tuple[str, ...]
    complete: bool
