"""The documents of one user: visits by group, batches, action items, profile, usage."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from lumimd.domain.commit import StoredAction
from lumimd.domain.document import Document
from lumimd.domain.profile import Profile
from lumimd.domain.visit import Action, Visit
from lumimd.domain.visit_groups import Group
from lumimd.ports.paging import Page


@dataclass(frozen=True)
class ListPosition:
    """The end of a page of a list: the instant and the id of its last item."""

    created_at: datetime
    id: str


class Used(Document):
    """The number of a user's visits since a day, and their seconds of audio."""

    visits: int
    audio_seconds: float


class OwnerQueries(Protocol):
    """Queries over the documents of one user, and writes of action items.

    Lists are newest first; `after` is the last item of the previous page. An unreadable document
    is logged and skipped; a list is shorter than its limit only at the end.
    """

    async def visits(
        self,
        user_id: str,
        *,
        limit: int,
        group: Group | None = None,
        after: ListPosition | None = None,
        leave_out_archived: bool = False,
    ) -> Page[Visit]:
        """At most `limit` visits of a group, or of all groups, and the ids that were skipped."""
        ...

    async def batch(self, user_id: str, batch_id: str) -> Sequence[Visit]:
        """All visits of one batch, read at one instant; oldest first."""
        ...

    async def actions(
        self,
        user_id: str,
        *,
        limit: int,
        completed: bool | None = None,
        after: ListPosition | None = None,
    ) -> Sequence[Action]:
        """At most `limit` action items: all, or only those that are (not) completed."""
        ...

    async def action(self, action_id: str) -> StoredAction | None:
        """One action item, or None."""
        ...

    async def was_retired(self, user_id: str, action_id: str) -> bool:
        """Whether a visit of the user had this action item in an earlier summary."""
        ...

    async def add_action(self, action: Action) -> StoredAction:
        """Write a new action item.

        Raises:
            Conflict: it exists, or its visit is under legal hold.
        """
        ...

    async def save_action(self, read: StoredAction, action: Action) -> StoredAction:
        """Replace an action item by compare-and-set.

        Raises:
            Conflict: it has changed, is gone, or its visit is under legal hold.
        """
        ...

    async def remove_action(self, read: StoredAction) -> None:
        """Remove an action item by compare-and-set.

        Raises:
            Conflict: it has changed, is gone, or its visit is under legal hold.
        """
        ...

    async def profile(self, user_id: str) -> Profile:
        """The profile of a user; defaults if none is stored."""
        ...

    async def forget(self, user_id: str) -> None:
        """Delete the profile of a user."""
        ...

    async def used(self, user_id: str, since: datetime) -> Used:
        """The number of visits created since `since`, and their seconds of audio."""
        ...
