"""Optimistic concurrency: read, decide and save; after a lost race, do all of it again."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Conflict
from lumimd.domain.errors import Transient

T = TypeVar("T")

CONFLICTS: Final = 5
"""Lost races before a save gives up for now. Each one means that another writer made progress."""


async def until_saved(attempt: Callable[[], Awaitable[T]]) -> T:
    """The result of `attempt`, which reads, decides and saves; repeated while it raises `Conflict`.

    Raises:
        Transient: `CONFLICTS` races were lost in a row, or the store is not available.
    """
    for _ in range(CONFLICTS):
        try:
            return await attempt()
        except Conflict:
            continue
    raise Transient(ErrorCode.INTERNAL_ERROR)
