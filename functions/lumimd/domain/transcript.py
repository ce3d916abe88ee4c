"""The words of a visit: utterances with their speakers, and the pages that store them."""

import json
from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import count
from typing import Final

from lumimd.domain.document import Document
from lumimd.domain.text_pieces import divided_text

MAX_PAGE_BYTES: Final = 200_000
"""The largest page: a stored document may hold 1 MiB, and small pages are quick to read on a
phone."""


class Role(StrEnum):
    """The role of a speaker in the visit."""

    CLINICIAN = "clinician"
    PATIENT = "patient"
    UNKNOWN = "unknown"


class Utterance(Document):
    """A passage that one speaker says without interruption.

    `id` is unique in the transcript, and evidence refers to the `id`. `start_ms` and `end_ms` count
    from the start of the recording; `confidence` is the confidence of the recognizer, from 0 to 1.
    """

    id: str
    speaker: str
    role: Role = Role.UNKNOWN
    start_ms: int
    end_ms: int
    text: str
    confidence: float


class TranscriptPage(Document):
    """Consecutive utterances that are stored as one document."""

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
        """Return the ids that evidence may refer to."""
        return frozenset(utterance.id for utterance in self.utterances)

    def divided(self, max_bytes: int = MAX_PAGE_BYTES) -> "Transcript":
        """Return the same words; utterances that are larger than a page are divided into pieces."""
        taken = set(self.ids)
        utterances: list[Utterance] = []
        for utterance in self.utterances:
            if _stored_bytes(utterance) <= max_bytes:
                utterances.append(utterance)
            else:
                utterances += pieces(utterance, max_bytes // 10, taken)
        return self.model_copy(update={"utterances": tuple(utterances)})

    def pages(self, max_bytes: int = MAX_PAGE_BYTES) -> tuple[TranscriptPage, ...]:
        """Return the utterances in order, in as few pages of at most `max_bytes` as possible.

        An utterance that is larger than a page is divided into pieces (`divided`).
        """
        pages: list[list[Utterance]] = []
        size = max_bytes
        for utterance in self.divided().utterances:
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
    """Return the utterances of all pages in the order of the page numbers."""
    ordered: Sequence[TranscriptPage] = sorted(pages, key=lambda page: page.page)
    return tuple(utterance for page in ordered for utterance in page.utterances)


def pieces(utterance: Utterance, max_bytes: int, taken: set[str]) -> list[Utterance]:
    """Return the utterance in ordered pieces of at most `max_bytes` of text.

    The pieces add up to the text of the utterance, and divide its time by their lengths. The first
    piece keeps the id; the function adds the ids of the other pieces to `taken`.
    """
    if not utterance.text:
        return [utterance]
    texts = divided_text(utterance.text, max_bytes)
    spoken_ms, letters = utterance.end_ms - utterance.start_ms, len(utterance.text)
    found: list[Utterance] = []
    before = 0
    for text in texts:
        after = before + len(text)
        found.append(
            utterance.model_copy(
                update={
                    "id": _free_id(utterance.id, taken) if found else utterance.id,
                    "text": text,
                    "start_ms": utterance.start_ms + spoken_ms * before // letters,
                    "end_ms": utterance.start_ms + spoken_ms * after // letters,
                }
            )
        )
        before = after
    return found


def _free_id(whole: str, taken: set[str]) -> str:
    found = next(each for n in count(2) if (each := f"{whole}.{n}") not in taken)
    taken.add(found)
    return found


def _stored_bytes(utterance: Utterance) -> int:
    # Firestore counts names and UTF-8 text; the JSON form is a slightly larger upper bound.
    return len(json.dumps(utterance.to_stored(), ensure_ascii=False).encode())
