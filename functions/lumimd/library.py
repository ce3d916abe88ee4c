"""What a user has: their visits by group, their batches, their action items, what they used."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol

from lumimd.commit import StoredAction
from lumimd.document import Document
from lumimd.errors import UnreadableDocument
from lumimd.queries import Page
from lumimd.reading import read
from lumimd.records import Action, Status, Visit


class Group(StrEnum):
    """The lists in which an owner finds a visit; each visit is in exactly one."""

    NEEDS_ATTENTION = "needs_attention"
    PROCESSING = "processing"
    READY = "ready"
    ARCHIVED = "archived"


STATUSES: Final[Mapping[Group, tuple[Status, ...]]] = {
    # Nothing more comes by itself: the owner retries, uploads again, archives or deletes.
    Group.NEEDS_ATTENTION: (Status.FAILED, Status.PARTIAL, Status.CANCELLED, Status.EXPIRED),
    Group.PROCESSING: (Status.PROCESSING,),
    Group.READY: (Status.COMPLETED,),
}


def group_of(visit: Visit) -> Group:
    """The group of a visit."""
    if visit.archived:
        return Group.ARCHIVED
    return next(group for group, statuses in STATUSES.items() if visit.status in statuses)


def is_listed(visit: Visit, group: Group | None, leave_out_archived: bool) -> bool:
    """Whether a list of `group`, or of all groups, has the visit."""
    if group is None:
        return not (leave_out_archived and visit.archived)
    return group is group_of(visit)


@dataclass(frozen=True)
class Place:
    """Where a page of a list ended: the instant and the id of its last item."""

    created_at: datetime
    id: str


class Used(Document):
    """What a user's visits since some day came to."""

    visits: int
    audio_seconds: float


class Profile(Document):
    """`users/{uid}`: what an operator grants and what the user prefers.

    A user of whom no `tier` is stored has the deployment's default.
    """

    user_id: str
    tier: str | None = None
    preferences: dict[str, Any] | None = None

    @classmethod
    def of(cls, user_id: str, stored: Any) -> "Profile":
        """The profile as it is stored; a field that cannot be read counts as unset, and is logged.

        Owners write their preferences themselves: unreadable ones stop no upload.
        """
        stored = stored if isinstance(stored, dict) else {}
        try:
            return read(cls, "users", user_id, {**stored, "userId": user_id})
        except UnreadableDocument:
            return cls(user_id=user_id, tier=_text(stored.get("tier")))


def _text(stored: object) -> str | None:
    return stored if isinstance(stored, str) else None


class Library(Protocol):
    """Reads across the documents of one user, and writes to their action items.

    Lists are newest first; `after` is the last item of the page before. A document that cannot be
    read is logged and passed over; a list is shorter than its limit at the end alone.
    """

    async def visits(
        self,
        user_id: str,
        *,
        limit: int,
        group: Group | None = None,
        after: Place | None = None,
        leave_out_archived: bool = False,
    ) -> Page[Visit]:
        """At most `limit` visits of a group, or of all, and which were passed over for them."""
        ...

    async def batch(self, user_id: str, batch_id: str) -> Sequence[Visit]:
        """The visits of one batch, all of them, as they are at one moment; oldest first."""
        ...

    async def actions(
        self, user_id: str, *, limit: int, completed: bool | None = None, after: Place | None = None
    ) -> Sequence[Action]:
        """At most `limit` action items; those that are (not) completed, or all."""
        ...

    async def action(self, action_id: str) -> StoredAction | None:
        """One action item, or None."""
        ...

    async def was_retired(self, user_id: str, action_id: str) -> bool:
        """Whether a visit of the user had this action item before its summary was made again."""
        ...

    async def add_action(self, action: Action) -> StoredAction:
        """Write an action item that does not exist yet.

        Raises:
            Conflict: it exists, or its visit is under legal hold.
        """
        ...

    async def save_action(self, read: StoredAction, action: Action) -> StoredAction:
        """Write an action item that is still as it was `read`.

        Raises:
            Conflict: it is not, or is gone, or its visit is under legal hold.
        """
        ...

    async def remove_action(self, read: StoredAction) -> None:
        """Remove an action item that is still as it was `read`.

        Raises:
            Conflict: it is not, or is gone, or its visit is under legal hold.
        """
        ...

    async def profile(self, user_id: str) -> Profile:
        """What is known of a user."""
        ...

    async def forget(self, user_id: str) -> None:
        """Delete what is known of a user apart from visits."""
        ...

    async def used(self, user_id: str, since: datetime) -> Used:
        """What the visits that were created since then came to."""
        ...
