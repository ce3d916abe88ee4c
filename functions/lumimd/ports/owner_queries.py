"""What a user has: their visits by group, their batches, their action items, what they used."""

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
    """Where a page of a list ended: the instant and the id of its last item."""

    created_at: datetime
    id: str


class Used(Document):
    """What a user's visits since some day came to."""

    visits: int
    audio_seconds: float


class OwnerQueries(Protocol):
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
        after: ListPosition | None = None,
        leave_out_archived: bool = False,
    ) -> Page[Visit]:
        """At most `limit` visits of a group, or of all, and which were passed over for them."""
        ...

    async def batch(self, user_id: str, batch_id: str) -> Sequence[Visit]:
        """The visits of one batch, all of them, as they are at one moment; oldest first."""
        ...

    async def actions(
        self,
        user_id: str,
        *,
        limit: int,
        completed: bool | None = None,
        after: ListPosition | None = None,
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
