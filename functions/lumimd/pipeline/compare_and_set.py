"""Optimistic concurrency: read, decide and save; after a lost race, start again with the read."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Conflict
from lumimd.domain.errors import Transient

T = TypeVar("T")

CONFLICTS: Final = 5
"""Lost races after which a save raises `Transient`. A lost race means another writer's progress."""


async def until_saved(attempt: Callable[[], Awaitable[T]]) -> T:
    """Call `attempt`, which reads, decides and saves, until it raises no `Conflict`.

    Returns the result of the last call.

    Raises:
        Transient: `CONFLICTS` races were lost in a row, or the store is not available.
    """
    for _ in range(CONFLICTS):
        try:
            return await attempt()
        except Conflict:
            continue
    raise Transient(ErrorCode.INTERNAL_ERROR)
