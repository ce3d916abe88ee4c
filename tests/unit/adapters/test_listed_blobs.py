"""Test that one malformed object in a bucket listing does not hide the other objects."""

from datetime import UTC, datetime
from typing import Any, Final

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage  # type: ignore[attr-defined]  # it ships no types

from lumimd.adapters.google.storage import CloudAudioStore

SINCE: Final = datetime(2026, 1, 1, tzinfo=UTC)
ORDINARY: Final = {
    "name": "visits/u/v/audio.m4a",
    "generation": "7",
    "size": "352",
    "contentType": "audio/mp4",
    "timeCreated": "2026-01-02T00:00:00.000Z",
    "metadata": {"consent": "given"},
}


class OnePage:
    """A stub of the SDK's iterator, for a listing of one page."""

    next_page_token: None = None

    def __init__(self, blobs: list[storage.Blob]) -> None:
        self.pages = iter([blobs])


class Listing(storage.Client):  # type: ignore[misc]  # it ships no types
    """A stub of the SDK's client that lists the given items as objects of the SDK."""

    def __init__(self, items: list[dict[str, Any]]) -> None:
        anonymous: Any = AnonymousCredentials
        super().__init__(project="demo", credentials=anonymous())
        self._items = items

    def list_blobs(self, bucket: str, **_: Any) -> Any:
        blobs = [storage.Blob(item["name"], self.bucket(bucket)) for item in self._items]
        for blob, item in zip(blobs, self._items, strict=True):
            blob._set_properties(item)
        return OnePage(blobs)


async def listed(*items: dict[str, Any]) -> list[Any]:
    store = CloudAudioStore(Listing(list(items)), signing=dict)
    return list((await store.uploads("recordings", SINCE)).items)


@pytest.mark.parametrize(
    "odd",
    [
        {"metadata": None},
        {"metadata": {"consent": None, "duration": 12}},
        {"contentType": None},
        {"contentType": "audio/\u97f3"},
        {"size": None},
        {"timeCreated": None},
    ],
)
async def test_a_recording_with_a_malformed_field_is_listed(odd: dict[str, Any]) -> None:
    (upload,) = await listed({**ORDINARY, **odd})
    assert (upload.visit_id, upload.audio.generation) == ("v", 7)
    assert upload.audio.content_type in ("audio/mp4", "application/octet-stream")


async def test_an_object_without_a_generation_is_skipped_and_others_are_listed() -> None:
    (upload,) = await listed({**ORDINARY, "generation": None}, ORDINARY)
    assert upload.consented
    assert upload.audio.size_bytes == 352
