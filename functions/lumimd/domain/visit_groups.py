"""The lists of visits that an owner sees."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from lumimd.domain.visit import Status, Visit


class Group(StrEnum):
    """The lists of visits that an owner sees; each visit belongs to exactly one list."""

    NEEDS_ATTENTION = "needs_attention"
    PROCESSING = "processing"
    READY = "ready"
    ARCHIVED = "archived"


STATUSES: Final[Mapping[Group, tuple[Status, ...]]] = {
    # The work ended without complete results: the owner retries, uploads, archives or deletes.
    Group.NEEDS_ATTENTION: (Status.FAILED, Status.PARTIAL, Status.CANCELLED, Status.EXPIRED),
    Group.PROCESSING: (Status.PROCESSING,),
    Group.READY: (Status.COMPLETED,),
}


def group_of(visit: Visit) -> Group:
    """Return the group of a visit."""
    if visit.archived:
        return Group.ARCHIVED
    return next(group for group, statuses in STATUSES.items() if visit.status in statuses)


def is_listed(visit: Visit, group: Group | None, leave_out_archived: bool) -> bool:
    """Whether the list of `group` (None: of all groups) contains the visit."""
    if group is None:
        return not (leave_out_archived and visit.archived)
    return group is group_of(visit)
