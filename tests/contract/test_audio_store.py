"""The contract of `AudioStore`: one suite for the memory adapter and for Cloud Storage's SDK."""

import asyncio
import threading
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from lumimd.adapters.google import storage
from lumimd.adapters.google.storage import cloud_audio_store
from lumimd.adapters.measuring.process import Process
from lumimd.adapters.memory import MemoryAudioStore
from lumimd.domain.audio import Audio, Upload, is_below, named_in
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Permanent, Transient
from lumimd.ports.audio_store import AudioStore
from lumimd.ports.paging import pages
from tests.support.object_holds import object_holds
from tests.support.services import SAMPLE, tone
from tests.support.user_ids import USER_IDS

BUCKET = "recordings"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass
class Bucket:
    store: AudioStore
    put: Callable[[str, bytes], Awaitable[Audio]]


@pytest.fixture(params=["memory", "cloud_storage"])
async def bucket(request: pytest.FixtureRequest) -> AsyncIterator[Bucket]:
    if request.param == "memory":
        yield _memory_bucket()
        return
    async with CloudBucket(request.getfixturevalue("storage_url")) as bucket:
        yield bucket


def _memory_bucket() -> Bucket:
    store = MemoryAudioStore(BUCKET)
    generations = count(1)

    async def put(path: str, content: bytes) -> Audio:
        audio = recording(path, generation=next(generations), size=len(content))
        store.put(audio, content, at=datetime.now(UTC))
        return audio

    return Bucket(store, put)


class CloudBucket:
    def __init__(self, url: str) -> None:
        self.url = url

    async def __aenter__(self) -> Bucket:
        self.http = httpx.AsyncClient(base_url=self.url)
        await self.http.post("/storage/v1/b", json={"name": BUCKET})
        return Bucket(cloud_audio_store("demo-lumimd", self.url), self.put)

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def put(self, path: str, content: bytes) -> Audio:
        answer = await self.http.post(
            f"/upload/storage/v1/b/{BUCKET}/o",
            params={"uploadType": "media", "name": path},
            content=content,
            headers={"content-type": "audio/mp4"},
        )
        stored = answer.json()
        return recording(path, int(stored["generation"]), int(stored["size"]))


def recording(path: str, generation: int, size: int) -> Audio:
    return Audio(
        bucket=BUCKET,
        storage_path=path,
        generation=generation,
        content_type="audio/mp4",
        size_bytes=size,
    )


def path(name: str = "audio.m4a") -> str:
    return f"visits/u1/{uuid.uuid4().hex}/{name}"


async def test_the_duration_of_a_recording_is_read(bucket: Bucket) -> None:
    audio = await bucket.put(path("audio.wav"), tone(seconds=3))
    assert (await bucket.store.measure(audio)).duration_seconds == pytest.approx(3, abs=0.05)


async def test_the_sample_is_about_two_minutes_long(bucket: Bucket) -> None:
    audio = await bucket.put(path(), SAMPLE.read_bytes())
    seconds = (await bucket.store.measure(audio)).duration_seconds
    assert seconds
    assert 90 < seconds < 180


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"\xff\xd8\xff\xe0\x00\x10JFIF" + b"\x00" * 2_000, ErrorCode.AUDIO_UNREADABLE),
        (b"not a recording at all", ErrorCode.AUDIO_UNREADABLE),
        (SAMPLE.read_bytes()[: SAMPLE.stat().st_size // 2], ErrorCode.AUDIO_TRUNCATED),
        (SAMPLE.read_bytes()[:100], ErrorCode.AUDIO_TRUNCATED),
        (tone(seconds=0.1), ErrorCode.AUDIO_TOO_SHORT),
        (tone(seconds=10 * 3600 + 1, rate=50), ErrorCode.AUDIO_TOO_LONG),
    ],
    ids=["jpeg", "text", "half", "stub", "100 ms", "over ten hours"],
)
async def test_each_kind_of_bad_recording_raises_its_own_error_code(
    bucket: Bucket, content: bytes, code: ErrorCode
) -> None:
    audio = await bucket.put(path(), content)
    with pytest.raises(Permanent) as raised:
        await bucket.store.measure(audio)
    assert raised.value.code is code


async def test_measuring_a_missing_recording_raises_audio_missing(bucket: Bucket) -> None:
    await bucket.put(path(), tone(seconds=1))
    with pytest.raises(Permanent) as raised:
        await bucket.store.measure(recording(path(), generation=1, size=10))
    assert raised.value.code is ErrorCode.AUDIO_MISSING


@pytest.mark.parametrize(
    "name", ["audio.m4a", "Besuch (3) am Montag.m4a", "визит №1.m4a", "a%2Fb+c~.m4a"]
)
async def test_a_signed_url_names_exactly_this_recording_and_expires(
    bucket: Bucket, name: str
) -> None:
    audio = await bucket.put(path(name), tone(seconds=1))
    url = await bucket.store.signed_url(audio, timedelta(hours=1))
    assert audio.is_named_by(url)
    assert not audio.model_copy(update={"generation": 2}).is_named_by(url)
    assert not audio.model_copy(update={"storage_path": path(name)}).is_named_by(url)
    query = parse_qs(urlsplit(url).query)
    assert query["X-Goog-Expires"] == ["3600"]
    assert query["X-Goog-Signature"]


async def test_a_signed_url_of_the_local_storage_server_downloads_the_recording(
    storage_url: str,
) -> None:
    async with CloudBucket(storage_url) as bucket:
        content = tone(seconds=1)
        audio = await bucket.put(path("ein Besuch.wav"), content)
        url = await bucket.store.signed_url(audio, timedelta(minutes=1))
        async with httpx.AsyncClient() as http:
            answer = await http.get(url)
    assert (answer.status_code, answer.content) == (200, content)


async def test_measuring_does_not_block_the_event_loop(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    audio = await bucket.put(path(), SAMPLE.read_bytes())
    loop, the_loop_runs = asyncio.get_running_loop(), threading.Event()
    measured = Process.measure

    def measured_after_the_loop_runs(*arguments: Any) -> Any:
        loop.call_soon_threadsafe(the_loop_runs.set)
        assert the_loop_runs.wait(10), "the event loop stands still while a file is read"
        return measured(*arguments)

    monkeypatch.setattr(Process, "measure", measured_after_the_loop_runs)
    await bucket.store.measure(audio)
    assert the_loop_runs.is_set()


async def test_erase_deletes_all_objects_of_a_folder_and_of_no_other_folder(
    bucket: Bucket,
) -> None:
    folder = f"visits/u1/{uuid.uuid4().hex}/"
    await bucket.put(f"{folder}audio.m4a", b"one")
    await bucket.put(f"{folder}notes.txt", b"two")
    neighbour = await bucket.put(f"{folder[:-1]}-x/audio.wav", tone(seconds=1))
    assert await bucket.store.has(BUCKET, folder)
    assert await bucket.store.erase(BUCKET, folder) == 2
    assert not await bucket.store.has(BUCKET, folder)
    assert await bucket.store.erase(BUCKET, folder) == 0
    assert (await bucket.store.measure(neighbour)).duration_seconds


@pytest.fixture(params=["memory", "cloud_storage"])
async def with_holds(request: pytest.FixtureRequest) -> AsyncIterator[Bucket]:
    """A bucket with object holds: a proxy adds them, because the local storage server has none."""
    if request.param == "memory":
        yield _memory_bucket()
        return
    with object_holds(request.getfixturevalue("storage_url")) as url:
        async with CloudBucket(url) as bucket:
            yield bucket


async def test_an_object_hold_set_between_the_list_and_the_deletion_is_respected(
    storage_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with object_holds(storage_url) as url:
        async with CloudBucket(url) as bucket:
            folder = f"visits/u1/{uuid.uuid4().hex}/"
            await bucket.put(f"{folder}audio.m4a", b"evidence")
            delete = storage.storage.Blob.delete

            def held_just_before(blob: Any, **options: Any) -> None:
                blob.temporary_hold = True
                blob.patch(retry=None)
                delete(blob, **options)

            monkeypatch.setattr(storage.storage.Blob, "delete", held_just_before)
            with pytest.raises(Transient):
                await bucket.store.erase(BUCKET, folder)
            assert await bucket.store.has(BUCKET, folder)


async def test_erase_skips_objects_under_an_object_hold_and_deletes_the_others(
    with_holds: Bucket,
) -> None:
    bucket = with_holds
    folder, other = (f"visits/u1/{uuid.uuid4().hex}/" for _ in range(2))
    for name in ("audio.m4a", "audio.2.m4a"):
        await bucket.put(f"{folder}{name}", b"evidence")
    await bucket.put(f"{other}audio.m4a", b"no evidence")
    assert await bucket.store.hold(BUCKET, folder, held=True) == 2
    assert await bucket.store.hold(BUCKET, folder, held=True) == 2
    late = await bucket.put(f"{folder}audio.3.m4a", b"uploaded meanwhile")
    with pytest.raises(Transient):
        await bucket.store.erase(BUCKET, folder)
    assert await bucket.store.has(BUCKET, folder)
    with pytest.raises(Permanent) as gone:
        await bucket.store.measure(late)
    assert gone.value.code is ErrorCode.AUDIO_MISSING, "an object without a hold is erased"
    assert await bucket.store.erase(BUCKET, other) == 1
    assert await bucket.store.hold(BUCKET, folder, held=False) == 2
    assert await bucket.store.erase(BUCKET, folder) == 2
    assert await bucket.store.hold(BUCKET, folder, held=True) == 0


async def test_setting_object_holds_in_a_missing_bucket_returns_zero(storage_url: str) -> None:
    async with CloudBucket(storage_url) as bucket:
        assert await bucket.store.hold("no-such-bucket", "visits/u1/v1/", held=True) == 0


async def test_erase_keeps_a_newer_generation(bucket: Bucket) -> None:
    folder = f"visits/u1/{uuid.uuid4().hex}/"
    old = await bucket.put(f"{folder}audio.wav", tone(seconds=1))
    new = await bucket.put(f"{folder}again.wav", tone(seconds=2))
    assert await bucket.store.erase(BUCKET, folder, up_to=old.generation) == 1
    assert (await bucket.store.measure(new)).duration_seconds == pytest.approx(2, abs=0.1)
    with pytest.raises(Permanent):
        await bucket.store.measure(old)


async def test_uploads_since_an_instant_are_listed_with_the_fields_of_their_events(
    bucket: Bucket,
) -> None:
    visit_id = uuid.uuid4().hex
    audio = await bucket.put(f"visits/u1/{visit_id}/audio.m4a", SAMPLE.read_bytes())
    await bucket.put(f"visits/u1/{visit_id}/notes.txt", b"no recording")

    async def uploads(since: datetime) -> list[Upload]:
        ask = lambda after: bucket.store.uploads(BUCKET, since, after)  # noqa: E731
        return [u async for page in pages(ask) for u in page.items if u.visit_id == visit_id]

    (upload,) = await uploads(LONG_AGO)
    assert (upload.user_id, upload.audio.generation) == ("u1", audio.generation)
    assert upload.audio.size_bytes == SAMPLE.stat().st_size
    assert upload.announced_at
    later = upload.announced_at + timedelta(seconds=1)
    assert await uploads(later) == []


@pytest.mark.parametrize("user_id", USER_IDS)
async def test_a_recording_under_any_form_of_user_id_is_found_signed_and_erased(
    bucket: Bucket, user_id: str
) -> None:
    folder = f"visits/{user_id}/{uuid.uuid4().hex}/"
    audio = await bucket.put(f"{folder}audio.wav", tone(seconds=1))
    assert (await bucket.store.measure(audio)).duration_seconds == pytest.approx(1, abs=0.05)
    listed = pages(lambda at: bucket.store.uploads(BUCKET, LONG_AGO, at))
    assert user_id in {each.user_id async for page in listed for each in page.items}
    url = await bucket.store.signed_url(audio, timedelta(minutes=1))
    assert audio.is_named_by(url)
    assert is_below(url, BUCKET, folder)
    assert named_in(url, BUCKET) == audio.storage_path
    assert await bucket.store.has(BUCKET, folder)
    assert await bucket.store.erase(BUCKET, folder) == 1
    assert not await bucket.store.has(BUCKET, folder)


async def test_measuring_adds_a_missing_size(
    bucket: Bucket,
) -> None:
    content = tone(seconds=1)
    audio = await bucket.put(f"visits/user-1/{uuid.uuid4().hex}/audio.wav", content)
    measured = await bucket.store.measure(audio.model_copy(update={"size_bytes": None}))
    assert measured.size_bytes == len(content)
    assert measured.duration_seconds == pytest.approx(1, abs=0.05)


async def test_with_an_upload_function_signed_url_returns_the_url_of_an_uploaded_copy(
    storage_url: str,
) -> None:
    copies: list[bytes] = []

    async def uploaded(content: bytes) -> str:
        copies.append(content)
        return "https://cdn.provider.invalid/copy"

    async with CloudBucket(storage_url) as bucket:
        audio = await bucket.put(path("audio.wav"), tone(seconds=3))
        store = cloud_audio_store("demo-lumimd", storage_url, uploaded)
        url = await store.signed_url(audio, timedelta(hours=1))
    assert url == "https://cdn.provider.invalid/copy"
    assert copies == [tone(seconds=3)]
