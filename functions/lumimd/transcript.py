"""The words of a visit: utterances, who spoke them, and the pages in which they are stored."""

import json
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final

from lumimd.document import Document

MAX_PAGE_BYTES: Final = 200_000
"""A stored document may hold 1 MiB; small pages also keep a phone's first read quick."""


class Role(StrEnum):
    """Who a speaker is in the visit."""

    CLINICIAN = "clinician"
    PATIENT = "patient"
    UNKNOWN = "unknown"


class Utterance(Document):
    """What one speaker said without a break.

    `id` is unique in the transcript and is what evidence refers to. `start_ms` and `end_ms` count
    from the start of the recording; `confidence` is the recognizer's, from 0 to 1.
    """

    id: str
    speaker: str
    role: Role = Role.UNKNOWN
    start_ms: int
    end_ms: int
    text: str
    confidence: float


class TranscriptPage(Document):
    """A run of utterances that is stored as one document."""

    page: int
    utterances: tuple[Utterance, ...]


class Transcript(Document):
    """All utterances of a visit in the order in which they were spoken."""

    utterances: tuple[Utterance, ...]
    language_code: str | None = None
    confidence: float | None = None
    duration_seconds: float | None = None

    @property
    def is_silent(self) -> bool:
        """Whether no word was recognized."""
        return not any(utterance.text.strip() for utterance in self.utterances)

    @property
    def ids(self) -> frozenset[str]:
        """The ids that evidence may refer to."""
        return frozenset(utterance.id for utterance in self.utterances)

    def pages(self, max_bytes: int = MAX_PAGE_BYTES) -> tuple[TranscriptPage, ...]:
        """The utterances in as few pages as fit under `max_bytes` each, in order."""
        pages: list[list[Utterance]] = []
        size = max_bytes
        for utterance in self.utterances:
            cost = _stored_bytes(utterance)
            if size + cost > max_bytes:
                pages.append([])
                size = 0
            pages[-1].append(utterance)
            size += cost
        return tuple(
            TranscriptPage(page=number, utterances=tuple(utterances))
            for number, utterances in enumerate(pages)
        )


def joined(pages: Iterable[TranscriptPage]) -> tuple[Utterance, ...]:
    """The utterances of all pages in the order of the page numbers."""
    ordered: Sequence[TranscriptPage] = sorted(pages, key=lambda page: page.page)
    return tuple(utterance for page in ordered for utterance in page.utterances)


def _stored_bytes(utterance: Utterance) -> int:
    # Firestore counts names and UTF-8 text; the JSON form is a slightly larger upper bound.
    return len(json.dumps(utterance.to_stored(), ensure_ascii=False).encode())
