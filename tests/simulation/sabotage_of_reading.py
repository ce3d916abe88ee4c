"""Guards of reading: an unreadable document or a failing part stops no other."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from lumimd.domain.errors import Transient, UnreadableDocument
from lumimd.domain.events import summary
from lumimd.pipeline import recover, summarize
from lumimd.pipeline.rounds import Run
from lumimd.ports.paging import Cursor, Page, pages
from tests.simulation.guard import Guard, put
from tests.simulation.store import Documents
from tests.simulation.store_ports import SimulatedVisitStore


async def _as_long_as_something_is_found(
    ask: Callable[[Cursor | None], Awaitable[Page[Any]]],
) -> AsyncIterator[Page[Any]]:
    async for page in pages(ask):
        yield page
        if not page.items:
            return


_page = Documents.page


def _all_or_nothing(
    self: Documents, places: list[Cursor], limit: int, read: Callable[[str], Any]
) -> Page[Any]:
    page = _page(self, places, limit, read)
    if page.unreadable:
        raise UnreadableDocument("visits", page.unreadable[0])
    return page


async def _together(self: Run, name: str, work: Awaitable[object]) -> None:
    await work


class _NeverRaised(Transient):
    """So that a transcript that cannot be read is a failure of the summary like any other."""


async def _nothing_there(self: SimulatedVisitStore, visit_id: str) -> Any:
    return await self._through("get", visit_id, lambda: self.documents.get(visit_id))


READING: Final[Mapping[str, Guard]] = {
    "pages-go-by-cursor": Guard(
        "pages of visits that cannot be read hide none that can",
        put((recover, "pages", _as_long_as_something_is_found)),
        level="unreadable",
    ),
    "a-query-gives-what-can-be-read": Guard(
        "one visit that cannot be read stops no other",
        put((Documents, "page", _all_or_nothing)),
        level="unreadable",
    ),
    "each-part-has-its-turn": Guard(
        "a bug in one part of the minute keeps no other part from its turn",
        put((Run, "part", _together)),
        level="unreadable",
    ),
    "a-part-of-a-transcript-is-none": Guard(
        "a transcript that cannot be read is waited for, and uses up no try",
        put((summarize, "UnreadableDocument", _NeverRaised)),
        level="unreadable",
    ),
    "what-cannot-be-read-is-not-written-over": Guard(
        "a release does not save what it cannot read",
        put((SimulatedVisitStore, "get", _nothing_there)),
        level="unreadable",
    ),
    "requests-grow-rare": Guard(
        "a backlog of summaries does not multiply its own tasks",
        put((summary, "request_grace", lambda unanswered: timedelta(minutes=2))),
        level="backlog",
    ),
}
