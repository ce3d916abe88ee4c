"""The contract of `Uploads`: memory, and a local server that speaks the Cloud Storage API."""

import uuid
from collections.abc import Iterator

import httpx
import pytest

from lumimd.adapters.memory.uploads import MemoryUploads
from lumimd.domain.audio import recording_of
from lumimd.domain.media_types import TYPES
from lumimd.ports.uploads import Uploads, recording_path


@pytest.fixture
def bucket(storage_url: str) -> str:
    name = f"bucket-{uuid.uuid4().hex[:8]}"
    httpx.post(f"{storage_url}/storage/v1/b", json={"name": name}).raise_for_status()
    return name


@pytest.fixture(params=["memory", "cloud_storage"])
def uploads(request: pytest.FixtureRequest) -> Iterator[Uploads]:
    if request.param == "memory":
        yield MemoryUploads()
        return
    yield cloud(request.getfixturevalue("storage_url"), request.getfixturevalue("bucket"))


def cloud(url: str, bucket: str) -> Uploads:
    from lumimd.adapters.google.storage import storage_client
    from lumimd.adapters.google.uploads import CloudUploads

    return CloudUploads(storage_client("demo-lumimd", url), bucket)


@pytest.mark.parametrize("content_type", [*TYPES, "audio/webm;codecs=opus"])
def test_the_path_given_for_an_upload_is_parsed_back_to_user_and_visit(content_type: str) -> None:
    assert recording_of(recording_path("u1", "v1", content_type)) == ("u1", "v1")


async def test_an_upload_destination_has_the_bucket_path_and_announced_content_type(
    uploads: Uploads,
) -> None:
    place = await uploads.place("visits/u1/v1/audio.m4a", "audio/mp4", None)
    assert (place.path, place.content_type) == ("visits/u1/v1/audio.m4a", "audio/mp4")
    assert place.bucket


async def test_bytes_sent_to_the_upload_session_are_stored_in_the_bucket(
    storage_url: str, bucket: str
) -> None:
    place = await cloud(storage_url, bucket).place("visits/u1/v1/audio.m4a", "audio/mp4", None)
    assert place.url is not None
    async with httpx.AsyncClient() as http:
        # Cloud Storage remembers the content type of the session; fake-gcs-server needs it again.
        announced = {"Content-Type": place.content_type}
        sent = await http.put(place.url, content=b"sound", headers=announced)
        assert sent.status_code == 200
        kept = await http.get(f"{storage_url}/storage/v1/b/{bucket}/o/visits%2Fu1%2Fv1%2Faudio.m4a")
    assert (kept.json()["contentType"], int(kept.json()["size"])) == ("audio/mp4", 5)


async def test_a_missing_bucket_gives_an_upload_destination_without_a_session(
    storage_url: str,
) -> None:
    place = await cloud(storage_url, "no-such-bucket").place(
        "visits/u/v/audio.m4a", "audio/mp4", None
    )
    assert (place.path, place.url) == ("visits/u/v/audio.m4a", None)
