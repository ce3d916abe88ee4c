"""Views of an account: the user, their usage, and their deletion receipts."""

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
    """One limit: how much of it is used, and when it is fully restored."""

    name: str
    limit: int
    used: int
    left: int
    resets_at: datetime

    @classmethod
    def of(cls, name: str, usage: Usage) -> "LimitView":
        """Return the limit of that name."""
        return cls(name=name, **vars(usage))


class UsageView(Document):
    """The usage of a user since the beginning of the month, and what remains of each limit."""

    tier: str
    since: datetime
    visits: int
    audio_seconds: float
    limits: tuple[LimitView, ...]


class DeletionView(Document):
    """A deletion receipt: the counts so far, by kind, and the time of completion."""

    visit_id: str
    requested_at: datetime
    completed_at: datetime | None
    counts: dict[str, int]

    @classmethod
    def of(cls, deletion: Deletion) -> "DeletionView":
        """Return the part of a deletion receipt that the owner of the visit sees."""
        return cls.model_validate(deletion.model_dump())


class Erased(Document):
    """The outcome of deleting a user. Each visit's deletion receipt is at `/v1/deletions`.

    If it is not `complete`, the remaining data is deleted within minutes, without another request.
    """

    deleted_visits: tuple[str, ...]
    kept_for_legal_reasons: tuple[str, ...]
    complete: bool
