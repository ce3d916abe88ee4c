"""Everything that we hold of a user, as one zip archive that is made while it is being sent.

| in the archive | holds |
|---|---|
| `visits/{visitId}.json` | one visit: `ExportedVisit` |
| `manifest.json` | whose, when, and how many of each: `ExportManifest` |
| `schema.json` | JSON Schemas of both, so that the archive explains itself |

At no time more than one visit is in memory.
"""

import io
import json
import zipfile
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final

from lumimd.api.parts import ApiParts
from lumimd.api.views import ActionView, VisitView
from lumimd.document import Document
from lumimd.errors import UnreadableDocument
from lumimd.library import Place, Profile
from lumimd.records import HistoryEntry, Ledger, Visit
from lumimd.transcript import Utterance

PAGE: Final = 50


class ExportedVisit(Document):
    """A visit and all that belongs to it."""

    visit: VisitView
    audio_url: str | None
    transcript: tuple[Utterance, ...]
    history: tuple[HistoryEntry, ...]
    actions: tuple[ActionView, ...]
    ledger: Ledger


class ExportCounts(Document):
    """How many of each are in the archive."""

    visits: int = 0
    utterances: int = 0
    history_entries: int = 0
    actions: int = 0

    def plus(self, exported: ExportedVisit) -> "ExportCounts":
        """These counts and those of one more visit."""
        return ExportCounts(
            visits=self.visits + 1,
            utterances=self.utterances + len(exported.transcript),
            history_entries=self.history_entries + len(exported.history),
            actions=self.actions + len(exported.actions),
        )


class ExportManifest(Document):
    """The contents of the archive. It is written last: an archive without it is not whole.

    `unreadable_visits` are missing from the archive: a later export has them.
    """

    user_id: str
    exported_at: datetime
    profile: Profile
    counts: ExportCounts
    unreadable_visits: tuple[str, ...] = ()


async def archive(parts: ApiParts, user_id: str) -> AsyncIterator[bytes]:
    """The archive, piece by piece."""
    sink = _Sink()
    counts = ExportCounts()
    unreadable: list[str] = []
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as file:
        async for visit in _visits(parts, user_id, unreadable):
            try:
                exported = await _exported(parts, visit)
            except UnreadableDocument:  # a page of its transcript
                unreadable.append(visit.visit_id)
                continue
            counts = counts.plus(exported)
            file.writestr(f"visits/{visit.visit_id}.json", _json(exported))
            yield sink.taken()
        file.writestr("schema.json", json.dumps(_schema(), indent=1))
        manifest = ExportManifest(
            user_id=user_id,
            exported_at=parts.clock.now(),
            profile=await parts.library.profile(user_id),
            counts=counts,
            unreadable_visits=tuple(dict.fromkeys(unreadable)),
        )
        file.writestr("manifest.json", _json(manifest))
    yield sink.taken()


async def _visits(parts: ApiParts, user_id: str, unreadable: list[str]) -> AsyncIterator[Visit]:
    """The visits that can be read; the ids of the others are added to `unreadable`."""
    after: Place | None = None
    while True:
        page = await parts.library.visits(user_id, limit=PAGE, after=after)
        unreadable += page.unreadable
        for visit in page.items:
            yield visit
            after = Place(visit.created_at, visit.visit_id)
        if len(page.items) < PAGE:
            return


async def _exported(parts: ApiParts, visit: Visit) -> ExportedVisit:
    actions = await parts.store.actions(visit.visit_id)
    return ExportedVisit(
        visit=VisitView.of(visit),
        audio_url=visit.audio_url,
        transcript=await parts.store.transcript(visit.visit_id),
        history=await parts.store.history(visit.visit_id),
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
    """A file that can only be written to: what was written is taken away piece by piece."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._written += data
        return len(data)

    def taken(self) -> bytes:
        """What was written since the last time."""
        written = bytes(self._written)
        self._written.clear()
        return written
