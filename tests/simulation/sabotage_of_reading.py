"""Guards for reading: other work continues despite an unreadable document or a failing part."""

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


async def _until_an_empty_page(
    ask: Callable[[Cursor | None], Awaitable[Page[Any]]],
) -> AsyncIterator[Page[Any]]:
    async for page in pages(ask):
        yield page
        if not page.items:
            return


_page = Documents.page


def _all_or_nothing(
    self: Documents, cursors: list[Cursor], limit: int, read: Callable[[str], Any]
) -> Page[Any]:
    page = _page(self, cursors, limit, read)
    if page.unreadable:
        raise UnreadableDocument("visits", page.unreadable[0])
    return page


async def _without_isolation(self: Run, name: str, work: Awaitable[object]) -> None:
    await work


class _NeverRaised(Transient):
    """Replaces `UnreadableDocument`, so that an unreadable transcript is an ordinary failure."""


async def _get_unreadable_too(self: SimulatedVisitStore, visit_id: str) -> Any:
    return await self._through("get", visit_id, lambda: self.documents.get(visit_id))


READING: Final[Mapping[str, Guard]] = {
    "pages-go-by-cursor": Guard(
        "a page of unreadable visits does not hide readable ones",
        put((recover, "pages", _until_an_empty_page)),
        level="unreadable",
    ),
    "a-query-gives-what-can-be-read": Guard(
        "an unreadable visit stops no other",
        put((Documents, "page", _all_or_nothing)),
        level="unreadable",
    ),
    "each-part-has-its-turn": Guard(
        "a bug in one part of the scheduled run stops no other part",
        put((Run, "part", _without_isolation)),
        level="unreadable",
    ),
    "a-part-of-a-transcript-is-none": Guard(
        "a visit waits for its unreadable transcript without using up a try",
        put((summarize, "UnreadableDocument", _NeverRaised)),
        level="unreadable",
    ),
    "what-cannot-be-read-is-not-written-over": Guard(
        "a release does not overwrite a visit that it cannot read",
        put((SimulatedVisitStore, "get", _get_unreadable_too)),
        level="unreadable",
    ),
    "requests-grow-rare": Guard(
        "a backlog of summaries does not multiply its own tasks",
        put((summary, "request_grace", lambda unanswered: timedelta(minutes=2))),
        level="backlog",
    ),
}
