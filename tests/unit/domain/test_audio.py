"""Test the paths, URLs and limits of recordings."""

import asyncio
import re
import unicodedata
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lumimd.adapters.memory import MemoryAudioStore
from lumimd.domain.audio import MAX_BYTES, UPLOADS, Audio, recording_of
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Permanent
from lumimd.domain.ids import is_user_id
from lumimd.domain.media_types import EXTENSIONS
from tests.support.services import upload
from tests.support.user_ids import USER_IDS

AUDIO = upload().audio


@pytest.mark.parametrize(
    "file",
    [
        "audio.m4a",
        "AUDIO.M4A",
        "Visit.WebM",
        "two words (3).wav",
        "визит №1.m4a",
        "診察.mp3",
        "a.b..c.ogg",
        "..flac",
        "100%.m4a",
        "what?#fragment.m4a",
    ],
)
def test_a_recording_with_any_file_name_is_recognized_by_its_path(file: str) -> None:
    assert recording_of(f"visits/user-1/visit_2/{file}") == ("user-1", "visit_2")


@pytest.mark.parametrize(
    "path",
    [
        "",
        "visits",
        "visits/u/v/",
        "visits/u/v/.m4a",
        "visits/u/audio.m4a",
        "visits//v/audio.m4a",
        "visits/u//audio.m4a",
        "visits/u/v/w/audio.m4a",
        "visits/../v/audio.m4a",
        "visits/u/../audio.m4a",
        "visits/u/v/../audio.m4a",
        "visits/u/v/..",
        "../visits/u/v/audio.m4a",
        "/visits/u/v/audio.m4a",
        "Visits/u/v/audio.m4a",
        "exports/visits/u/v/audio.m4a",
        "derived/u/v/audio.m4a",
        "visits/u/v/audio.m4a/",
        "visits/u/v/audio.m4a\n",
        "\nvisits/u/v/audio.m4a",
        "visits/u/v/au\x00dio.m4a",
        "visits/u/v/au\ndio.m4a",
        "visits/u/v/au\x9bdio.m4a",
        "visits/ü/v/audio.m4a",
        "visits/u/v v/audio.m4a",
        "visits/u/v.v/audio.m4a",
        f"visits/u/{'v' * 129}/audio.m4a",
        f"visits/u/v/{'a' * 256}.m4a",
        "visits/u/v/transcript.json",
        "visits/u/v/audio.m4a.json",
        "visits/u/v/audio.exe",
        "visits/u/v/audiom4a",
    ],
)
def test_an_object_at_any_other_path_is_ignored(path: str) -> None:
    assert recording_of(path) is None


@pytest.mark.parametrize("user_id", USER_IDS)
def test_recordings_of_users_of_any_sign_in_provider_are_recognized(user_id: str) -> None:
    assert is_user_id(user_id)
    assert recording_of(f"visits/{user_id}/v/audio.m4a") == (user_id, "v")


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_file_extensions_are_recognized_in_lower_and_upper_case(extension: str) -> None:
    assert recording_of(f"visits/u/v/audio.{extension}") == ("u", "v")
    assert recording_of(f"visits/u/v/audio.{extension.upper()}") == ("u", "v")


@pytest.mark.parametrize("user_id", [".", "..", "__x__", "a b", "a%b", "", "x" * 129, "a\n", "ü"])
def test_a_user_id_that_is_invalid_in_a_path_is_refused(user_id: str) -> None:
    assert not is_user_id(user_id)
    assert recording_of(f"visits/{user_id}/v/audio.m4a") is None


@pytest.mark.parametrize("visit_id", ["__x__", "____", "__name__"])
def test_a_visit_id_that_firestore_reserves_is_refused(visit_id: str) -> None:
    assert recording_of(f"visits/u/{visit_id}/audio.m4a") is None
    assert recording_of(f"visits/u/{visit_id}x/audio.m4a") is not None


ID = st.sampled_from(["u-1", "v_1", "..", "", "__x__", "a|b", "a@b.c"]) | st.text(max_size=4)
FILE = st.sampled_from(["..", "a.m4a", "b/a.m4a"]) | st.text(max_size=4).map("{}.m4a".format)


@given(st.tuples(st.sampled_from(["visits", "Visits", ""]), ID, ID, FILE).map("/".join))
@example("visits/u/v/\x85.m4a")
def test_a_recognized_path_has_valid_ids_and_no_control_characters(path: str) -> None:
    owner = recording_of(path)
    if owner is None:
        return
    prefix, user_id, visit_id, file = path.split("/")
    assert (prefix, (user_id, visit_id)) == ("visits", owner)
    assert is_user_id(user_id)
    assert re.fullmatch("[A-Za-z0-9_-]+", visit_id)
    assert not any(unicodedata.category(character) == "Cc" for character in file)


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1)


@given(NAMES, st.integers(min_value=1, max_value=2**62))
def test_a_signed_url_matches_only_its_recording_with_any_file_name(
    name: str, generation: int
) -> None:
    path = f"visits/u/v/{name}.m4a"
    audio = AUDIO.model_copy(update={"storage_path": path, "generation": generation})
    url = asyncio.run(MemoryAudioStore(audio.bucket).signed_url(audio, timedelta(hours=1)))
    assert audio.is_named_by(url)
    assert not audio.model_copy(update={"generation": generation + 1}).is_named_by(url)
    assert not audio.model_copy(update={"storage_path": f"{path}x"}).is_named_by(url)


def url_of(bucket: str = AUDIO.bucket, path: str = AUDIO.storage_path, query: str = "") -> str:
    return f"https://storage.googleapis.com/{bucket}/{path}?{query or 'generation=1'}"


def test_an_expired_url_still_matches_its_recording() -> None:
    assert AUDIO.is_named_by(url_of())
    assert AUDIO.is_named_by(url_of(query="X-Goog-Expires=1&generation=1&X-Goog-Signature=ab"))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://deleted_by_user",
        "https://[broken/recordings/visits/user-1/visit-1/audio.wav?generation=1",
        url_of(bucket="recordings-of-another-project"),
        url_of(bucket="my-recordings"),
        url_of(path="visits/user-1/visit-11/audio.wav"),
        url_of(path=f"copy/{AUDIO.storage_path}"),
        url_of(query="generation=11"),
        url_of(query="generation=1&generation=2"),
        url_of(query="X-Goog-Expires=1"),
        f"https://evil.invalid/?{url_of()}",
        f"https://evil.invalid/#/{AUDIO.bucket}/{AUDIO.storage_path}?generation=1",
    ],
)
def test_a_url_of_another_object_does_not_match_the_recording(url: str) -> None:
    assert not AUDIO.is_named_by(url)


@given(st.text() | st.text(alphabet="[]:/@?#%\u2100a"))
def test_any_text_can_be_compared_as_a_url_without_an_error(url: str) -> None:
    assert not AUDIO.is_named_by(url)
    assert not AUDIO.is_named_by(f"https:{url}")


def coded(audio: Audio, seconds: float | None = 1) -> ErrorCode | None:
    try:
        UPLOADS.checked(audio)
        audio.with_duration(seconds)
    except Permanent as error:
        return error.code
    return None


@pytest.mark.parametrize(
    ("size_bytes", "seconds", "code"),
    [
        (0, 1, ErrorCode.AUDIO_EMPTY),
        (1, 1, None),
        (MAX_BYTES, 1, None),
        (MAX_BYTES + 1, 1, ErrorCode.AUDIO_TOO_LARGE),
        (1, 0.159, ErrorCode.AUDIO_TOO_SHORT),
        (1, 0.160, None),
        (1, 36_000, None),
        (1, 36_000.1, ErrorCode.AUDIO_TOO_LONG),
        (1, None, None),
    ],
)
def test_recordings_beyond_the_limits_of_size_or_length_are_refused(
    size_bytes: int, seconds: float | None, code: ErrorCode | None
) -> None:
    assert coded(AUDIO.model_copy(update={"size_bytes": size_bytes}), seconds) is code
