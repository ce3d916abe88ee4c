"""Test that requests are parsed or give None, and that the webhook is authenticated."""

import hmac
import json
import os
import re
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumimd.adapters.assemblyai.provider import TranscriptionProvider
from lumimd.adapters.google.storage_object import upload_of
from lumimd.domain.audio import UPLOADS
from lumimd.domain.errors import Rejected
from lumimd.runtime import requests
from lumimd.runtime.requests import (
    Hint,
    SummaryTask,
    check_webhook_caller,
    hint_of,
    summary_task_of,
    whole_header,
)

ROOT = Path(__file__).parents[3]
REFERENCE = Path(os.environ.get("LUMIMD_REFERENCE_DIR", ROOT.parent / "shared" / "reference"))

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children),
    max_leaves=10,
)


def shaped_like(example: dict[str, Any]) -> st.SearchStrategy[object]:
    """Generate any JSON value, or the example with any value in any field."""
    fields = {name: JSON | st.just(value) for name, value in example.items()}
    return JSON | st.fixed_dictionaries({}, optional=fields)


# Uploads.

TIME = "2026-03-01T09:00:00Z"
FINALIZED = {
    "bucket": "recordings",
    "name": "visits/user-1/visit-1/audio.m4a",
    "generation": "1587627537231057",
    "size": "352",
    "contentType": "audio/mp4",
}


def test_the_event_of_a_finalized_recording_is_parsed_as_an_upload() -> None:
    upload = upload_of(FINALIZED, TIME)
    assert upload
    assert (upload.user_id, upload.visit_id) == ("user-1", "visit-1")
    assert upload.audio.url == "gs://recordings/visits/user-1/visit-1/audio.m4a"
    # The JSON form of protobuf writes an int64 as a string.
    assert (upload.audio.generation, upload.audio.size_bytes) == (1587627537231057, 352)
    assert upload.audio.content_type == "audio/mp4"


@pytest.mark.parametrize("missing", ["bucket", "name", "generation"])
def test_an_event_without_bucket_name_or_generation_is_none(missing: str) -> None:
    assert upload_of({**FINALIZED, missing: None}, TIME) is None
    assert upload_of({name: FINALIZED[name] for name in FINALIZED if name != missing}, TIME) is None


@given(shaped_like(FINALIZED))
def test_any_event_content_is_parsed_without_an_error(data: object) -> None:
    upload = upload_of(data, TIME)
    assert upload is None or upload.audio.storage_path.startswith("visits/")


@pytest.mark.parametrize("field", ["contentType", "size", "metadata", "timeCreated", "md5Hash"])
@given(odd=JSON)
def test_a_recording_is_accepted_with_any_value_in_other_event_fields(
    field: str, odd: object
) -> None:
    upload = upload_of({**FINALIZED, field: odd}, TIME)
    assert upload is not None
    assert (upload.user_id, upload.visit_id) == ("user-1", "visit-1")
    assert upload.audio.generation == 1587627537231057
    size, content_type = upload.audio.size_bytes, upload.audio.content_type
    assert size is None or 0 <= size < 2**63
    assert re.fullmatch("[ -~]{1,255}", content_type)


@given(st.fixed_dictionaries({}, optional={"consent": JSON, "duration": JSON}), JSON)
def test_only_the_metadata_value_given_is_read_as_consent(
    metadata: dict[str, object], time: object
) -> None:
    upload = upload_of({**FINALIZED, "metadata": metadata}, time)
    assert upload is not None
    assert upload.consented is (metadata.get("consent") == "given")


@pytest.mark.parametrize(
    ("sent", "size"),
    [
        ("352", 352),
        (352, 352),
        (352.0, 352),
        ("0", 0),
        *((odd, None) for odd in (None, "", "many", -1, "-1", [], {}, [352], float("nan"), 2**63)),
    ],
)
def test_an_invalid_size_of_a_recording_is_read_as_unknown(sent: object, size: int | None) -> None:
    upload = upload_of({**FINALIZED, "size": sent}, TIME)
    assert upload is not None
    assert upload.audio.size_bytes == size
    if size != 0:
        UPLOADS.checked(upload.audio)


def test_missing_fields_of_an_upload_event_have_defaults() -> None:
    identity = {name: FINALIZED[name] for name in ("bucket", "name", "generation")}
    upload = upload_of(identity, None)
    assert upload is not None
    assert upload.audio.size_bytes is None
    assert upload.audio.content_type == "application/octet-stream"
    assert upload.announced_at is None
    assert not upload.consented


@pytest.mark.skipif(not (REFERENCE / "cloudevents").is_dir(), reason="no samples at hand")
@pytest.mark.parametrize("sample", ["complex", "simple"])
def test_googles_own_samples_are_parsed(sample: str) -> None:
    published = (REFERENCE / "cloudevents" / f"StorageObjectData-{sample}.json").read_text()
    data = json.loads(published)
    assert upload_of(data, TIME) is None, "it is no recording"
    upload = upload_of({**data, "name": FINALIZED["name"]}, TIME)
    assert upload
    assert upload.audio.generation == int(data["generation"])
    assert upload.audio.size_bytes == int(data["size"])
    assert (upload.audio.bucket, upload.audio.content_type) == (
        data["bucket"],
        data["contentType"],
    )


# Webhook bodies (hints).

QUERY = {"visit": "visit-1", "attempt": "2"}
BODY = {"transcript_id": "5551722-f677", "status": "completed"}


def webhook_hint(query: dict[str, str], body: object) -> Hint | None:
    return hint_of(query, TranscriptionProvider.ended_job(body))


def test_a_webhook_has_visit_and_attempt_in_its_url_and_the_job_in_its_body() -> None:
    assert webhook_hint(QUERY, BODY) == Hint(
        visit="visit-1", attempt=2, transcript_id="5551722-f677"
    )


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ({}, BODY),
        ({**QUERY, "visit": ""}, BODY),
        ({**QUERY, "visit": "../visit-1"}, BODY),
        ({**QUERY, "visit": "visit-1\n"}, BODY),
        ({**QUERY, "visit": "v" * 129}, BODY),
        ({**QUERY, "attempt": "0"}, BODY),
        ({**QUERY, "attempt": "one"}, BODY),
        ({**QUERY, "attempt": "9" * 5000}, BODY),
        ({**QUERY, "transcript_id": "from-the-query"}, {}),
        (QUERY, {"transcript_id": "a/b"}),
        (QUERY, {"transcript_id": 5}),
        (QUERY, []),
        (QUERY, None),
    ],
)
def test_a_webhook_without_a_valid_visit_attempt_or_job_is_none(
    query: dict[str, str], body: object
) -> None:
    assert webhook_hint(query, body) is None


@given(
    st.dictionaries(st.sampled_from([*QUERY, "transcript_id"]) | st.text(), st.text()),
    shaped_like(BODY),
)
def test_any_webhook_content_is_parsed_without_an_error(
    query: dict[str, str], body: object
) -> None:
    hint = webhook_hint(query, body)
    assert hint is None or "/" not in hint.visit


# Tasks.


def test_a_task_body_is_parsed_into_visit_id_and_attempt() -> None:
    assert summary_task_of({"visitId": "visit-1", "attempt": 3}) == SummaryTask(
        visitId="visit-1", attempt=3
    )


@given(shaped_like({"visitId": "visit-1", "attempt": 1}))
def test_any_task_content_is_parsed_without_an_error(body: object) -> None:
    task = summary_task_of(body)
    assert task is None or (task.attempt >= 1 and "/" not in task.visit_id)


# Authentication of the webhook.

SECRET, PREVIOUS = "the-secret-of-today", "the-secret-of-yesterday"
PROVIDER = "44.238.19.20"


def is_admitted(
    secret: str | None,
    forwarded_for: str | None = None,
    *,
    secrets: tuple[str, ...] = (SECRET,),
    ips: tuple[str, ...] = (),
) -> bool:
    try:
        check_webhook_caller(
            secret,
            forwarded_for,
            accepted_secrets=secrets,
            allowed_ips=frozenset(map(ip_address, ips)),
        )
    except Rejected:
        return False
    return True


def test_a_webhook_caller_with_the_secret_is_admitted() -> None:
    assert is_admitted(SECRET)


@pytest.mark.parametrize(
    "secret", [None, "", " ", SECRET[:-1], f"{SECRET} ", SECRET.upper(), PREVIOUS, "é", "\xff" * 20]
)
def test_a_webhook_caller_without_the_secret_is_refused(secret: str | None) -> None:
    assert not is_admitted(secret)


def test_without_a_configured_secret_every_caller_is_refused() -> None:
    assert not is_admitted("", secrets=())
    assert not is_admitted(None, secrets=())


def test_the_previous_secret_is_accepted_only_while_it_is_configured() -> None:
    assert all(is_admitted(each, secrets=(SECRET, PREVIOUS)) for each in (SECRET, PREVIOUS))
    assert not is_admitted(PREVIOUS, secrets=(SECRET,))


@pytest.mark.parametrize("sent", [SECRET, PREVIOUS, "wrong"])
def test_the_sent_secret_is_compared_with_every_configured_secret(
    sent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[bytes, bytes]] = []

    class Watched:
        @staticmethod
        def compare_digest(one: bytes, other: bytes) -> bool:
            compared.append((one, other))
            return hmac.compare_digest(one, other)

    monkeypatch.setattr(requests, "hmac", Watched)
    is_admitted(sent, secrets=(SECRET, PREVIOUS))
    assert compared == [(sent.encode(), SECRET.encode()), (sent.encode(), PREVIOUS.encode())]


@pytest.mark.parametrize(
    ("forwarded_for", "let_in"),
    [
        (PROVIDER, True),
        (f"10.0.0.1, {PROVIDER}", True),
        (f"{PROVIDER}, 203.0.113.9", False),
        (f"{PROVIDER},", False),
        ("203.0.113.9", False),
        ("not an address", False),
        ("", False),
        (None, False),
        ("2600:1f14::1", True),
        ("2600:1F14:0::1", True),
    ],
)
def test_only_the_last_forwarded_address_must_be_an_allowed_address(
    forwarded_for: str | None, let_in: bool
) -> None:
    assert is_admitted(SECRET, forwarded_for, ips=(PROVIDER, "2600:1f14::1")) is let_in


@given(st.lists(st.text("0123456789.,: "), max_size=4), st.sampled_from([PROVIDER, "203.0.113.9"]))
def test_the_last_value_of_repeated_headers_is_the_address_of_the_caller(
    before: list[str], last: str
) -> None:
    """A caller can only write values before the value that the platform appends."""
    assert is_admitted(SECRET, whole_header([*before, last]), ips=(PROVIDER,)) is (last == PROVIDER)
    sent = whole_header([*before, f"{PROVIDER}, {last}"])
    assert is_admitted(SECRET, sent, ips=(PROVIDER,)) is (last == PROVIDER)


def test_a_missing_forwarded_header_is_none() -> None:
    assert whole_header([]) is None


def test_a_caller_from_an_allowed_address_needs_the_secret() -> None:
    assert not is_admitted("wrong", PROVIDER, ips=(PROVIDER,))


@given(st.text())
def test_any_header_content_is_refused_without_an_error(text: str) -> None:
    assert not is_admitted(text, text, ips=(PROVIDER,))
