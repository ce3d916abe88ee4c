"""Export all data of a user, in parts: zip archives that are made while they are sent.

| file in a part | content |
|---|---|
| `visits/{visitId}.json` | one visit: `ExportedVisit` |
| `manifest.json` | user, time, counts, and the cursor of the next part: `ExportManifest` |
| `schema.json` | JSON Schemas of both, so that the archive explains itself |

A part ends after `PART` visits, after `PART_FOR`, or when the store stops answering. The next part
begins after the last visit of this part. If a part is incomplete, the client requests it again with
the same cursor, so that no part needs more time than the function has. At most one page of visits
and the transcript of one visit are in memory.
"""

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final

from pydantic import Field

from lumimd.api.listing import cursor_of
from lumimd.api.services import ApiServices
from lumimd.api.views import ActionView, VisitView
from lumimd.domain.document import Document
from lumimd.domain.errors import Transient, UnreadableDocument
from lumimd.domain.profile import Profile
from lumimd.domain.transcript import Utterance
from lumimd.domain.visit import HistoryEntry, Ledger, Visit
from lumimd.policies.time_budgets import EXPORT_PART
from lumimd.stores.owner_queries import ListPosition
from lumimd.telemetry import logs

PAGE: Final = 20
"""Visits per read; each may be near 1 MiB, and an instance serves forty requests."""

PART: Final = 1000
"""The most visits of a part, so that its list of files stays small and a repetition costs little.
"""


class ExportedVisit(Document):
    """A visit and all documents that belong to it."""

    visit: VisitView
    audio_url: str | None
    transcript: tuple[Utterance, ...]
    history: tuple[HistoryEntry, ...]
    actions: tuple[ActionView, ...]
    ledger: Ledger


class ExportCounts(Document):
    """The number of documents of each kind in the archive."""

    visits: int = 0
    utterances: int = 0
    history_entries: int = 0
    actions: int = 0

    def plus(self, exported: ExportedVisit) -> "ExportCounts":
        """Return these counts plus the counts of one more visit."""
        return ExportCounts(
            visits=self.visits + 1,
            utterances=self.utterances + len(exported.transcript),
            history_entries=self.history_entries + len(exported.history),
            actions=self.actions + len(exported.actions),
        )


class ExportManifest(Document):
    """The contents of a part. It is written last: a part without it is incomplete.

    `unreadable_visits` are missing from the part; a later export contains them.
    """

    user_id: str
    exported_at: datetime
    profile: Profile
    counts: ExportCounts
    unreadable_visits: tuple[str, ...] = ()
    next_cursor: str | None = Field(
        description="Give it as `cursor` to get the next part; null in the last one."
    )


class _Course:
    """The progress of a part: its last visit, its counts, and whether the export ends with it."""

    def __init__(self, after: ListPosition | None) -> None:
        self.after = after
        self.counts = ExportCounts()
        self.unreadable: list[str] = []
        self.read = 0
        self.is_last = False


async def part(
    services: ApiServices, user_id: str, after: ListPosition | None = None
) -> AsyncIterator[bytes]:
    """Yield the part of the export that begins after `after`, piece by piece.

    Raises:
        Transient: the store does not answer before the first visit of the part was read.
    """
    profile = await services.owner_queries.profile(user_id)
    sink, course = _Sink(), _Course(after)
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as file:
        async for exported in _until_store_fails(services, user_id, course):
            file.writestr(f"visits/{exported.visit.visit_id}.json", _json(exported))
            yield sink.taken()
        file.writestr("schema.json", json.dumps(_schema(), indent=1))
        manifest = ExportManifest(
            user_id=user_id,
            exported_at=services.clock.now(),
            profile=profile,
            counts=course.counts,
            unreadable_visits=tuple(dict.fromkeys(course.unreadable)),
            next_cursor=None if course.is_last or course.after is None else cursor_of(course.after),
        )
        file.writestr("manifest.json", _json(manifest))
    yield sink.taken()


async def _until_store_fails(
    services: ApiServices, user_id: str, course: _Course
) -> AsyncIterator[ExportedVisit]:
    """Yield the visits of the part until the store stops answering, and then end the part."""
    try:
        async for exported in _visits(services, user_id, course):
            yield exported
    except Transient as error:
        if course.read == 0:
            raise
        logs.failure("export_put_aside", error, count=course.read)


async def _visits(
    services: ApiServices, user_id: str, course: _Course
) -> AsyncIterator[ExportedVisit]:
    """Yield the visits that can be read; add the ids of the others to `course.unreadable`."""
    ends_at = services.clock.now() + EXPORT_PART
    while True:
        page = await services.owner_queries.visits(user_id, limit=PAGE, after=course.after)
        course.unreadable += page.unreadable
        for visit in page.items:
            if course.read and (course.read >= PART or services.clock.now() >= ends_at):
                return
            exported = await _exported(services, visit)
            course.read += 1
            course.after = ListPosition(visit.created_at, visit.visit_id)
            if exported is None:
                course.unreadable.append(visit.visit_id)
                continue
            course.counts = course.counts.plus(exported)
            yield exported
        if len(page.items) < PAGE:
            course.is_last = True
            return


async def _exported(services: ApiServices, visit: Visit) -> ExportedVisit | None:
    """Return the visit and its documents; None where a page of its transcript is unreadable."""
    store, visit_id = services.store, visit.visit_id
    try:
        transcript, history, actions = await asyncio.gather(
            store.transcript(visit_id), store.history(visit_id), store.actions(visit_id)
        )
    except UnreadableDocument:
        return None
    return ExportedVisit(
        visit=VisitView.of(visit),
        audio_url=visit.audio_url,
        transcript=transcript,
        history=history,
        actions=tuple(map(ActionView.of, actions)),
        ledger=visit.ledger,
    )


def _json(document: Document) -> str:
    return document.model_dump_json(by_alias=True, indent=1)


def _schema() -> dict[str, Any]:
    return {
        model.__name__: model.model_json_schema(by_alias=True, mode="serialization")
        for model in (ExportedVisit, ExportManifest)
    }


class _Sink(io.RawIOBase):
    """A write-only file in memory; `taken` removes the bytes written so far."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._written += data
        return len(data)

    def taken(self) -> bytes:
        """Remove and return the bytes written since the last call."""
        written = bytes(self._written)
        self._written.clear()
        return written
