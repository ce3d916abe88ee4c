"""The local Firebase Storage has the permissions of storage.rules and resumes uploads."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import jwt
import pytest

from infra.local.emulators import fake_gcs_command
from infra.local.firebase_storage.access import Upload, may_create
from infra.local.firebase_storage.multipart import Malformed, metadata_and_content
from infra.local.stack import PROJECT, ROOT, WEB_ORIGINS, Options, plan
from infra.local.supervision.ports import LOOPBACK, free_ports
from infra.local.supervision.processes import Process
from infra.local.supervision.ready import http_ok
from infra.node import installed
from lumimd.domain.audio import MAX_BYTES
from tests.support.node_tests import outcomes_of
from tests.support.servers import running, skipped_without_emulators

PAGE = "http://localhost:5173"
PATH = "visits/alice/v1/audio.m4a"
SOUND = bytes(range(256)) * 4096  # one MiB with every byte value, line ends included


@dataclass(frozen=True)
class Servers:
    """The addresses of the bucket and of the local Firebase Storage in front of it."""

    bucket_url: str
    host: str

    @property
    def objects(self) -> str:
        return f"http://{self.host}/v0/b/{PROJECT}/o"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    ports = free_ports({"storage": 0, "firebase_storage": 0})
    bucket_url = f"http://{LOOPBACK}:{ports['storage']}"
    host = f"{LOOPBACK}:{ports['firebase_storage']}"
    with skipped_without_emulators():
        bucket = fake_gcs_command(port=ports["storage"], env=os.environ)
    front = (
        *(sys.executable, "-m", "infra.local.firebase_storage"),
        *("--port", str(ports["firebase_storage"]), "--storage", bucket_url),
        # The bucket that the tests of the security rules use, and the allowed web page.
        *("--bucket", PROJECT, "--origins", PAGE),
    )
    processes = [
        Process(name="storage", argv=bucket, ready=http_ok(f"{bucket_url}/storage/v1/b")),
        Process(
            name="firebase_storage",
            argv=front,
            env={"PYTHONPATH": f"{ROOT}:{ROOT / 'functions'}"},
            cwd=ROOT,
            ready=http_ok(f"http://{host}/healthz"),
        ),
    ]
    with running(processes, tmp_path_factory.mktemp("storage")):
        httpx.post(f"{bucket_url}/storage/v1/b", json={"name": PROJECT}).raise_for_status()
        yield Servers(bucket_url, host)


def test_the_local_storage_passes_the_suite_of_the_security_rules(
    servers: Servers, tmp_path: Path
) -> None:
    """tests/rules runs the same suite against the emulator of firebase-tools."""
    with skipped_without_emulators():
        installed()
    env = {"FIREBASE_STORAGE_EMULATOR_HOST": servers.host, "FIRESTORE_EMULATOR_HOST": "127.0.0.1:1"}
    outcomes = outcomes_of([ROOT / "tests" / "rules" / "recordings.test.js"], env, tmp_path)
    failures = [f"{each.suite}: {each.name}: {each.failure}" for each in outcomes if each.failure]
    assert not failures, "\n".join(failures)
    assert sum(each.suite.startswith("hostile") for each in outcomes) >= 40


@pytest.mark.parametrize(
    ("size", "fits"), [(0, False), (1, True), (MAX_BYTES, True), (MAX_BYTES + 1, False)]
)
def test_an_upload_is_allowed_up_to_the_size_limit_of_the_pipeline(size: int, fits: bool) -> None:
    assert may_create("alice", Upload(PATH, "audio/mp4", size)) is fits


@dataclass
class Phone:
    """A client that speaks the protocol without an SDK, such as a restarted app."""

    http: httpx.Client
    objects: str
    headers: dict[str, str]

    def start(self, path: str) -> str:
        answer = self.http.post(
            self.objects,
            params={"name": path},
            json={"contentType": "audio/mp4"},
            headers={
                **self.headers,
                "X-Goog-Upload-Protocol": "resumable",
                "X-Goog-Upload-Command": "start",
                "X-Goog-Upload-Header-Content-Length": str(len(SOUND)),
            },
        )
        assert answer.headers["X-Goog-Upload-Status"] == "active", answer.text
        return answer.headers["X-Goog-Upload-URL"]

    def step(self, url: str, command: str, content: bytes = b"", offset: int = 0) -> httpx.Response:
        added = {"X-Goog-Upload-Command": command, "X-Goog-Upload-Offset": str(offset)}
        return self.http.post(url, content=content, headers=self.headers | added)


@pytest.fixture
def phone(servers: Servers) -> Iterator[Phone]:
    token = jwt.encode({"sub": "alice"}, "a secret that is not asked for, and long enough")
    with httpx.Client(timeout=30) as http:
        yield Phone(http, servers.objects, {"Authorization": f"Firebase {token}"})


def test_another_client_can_continue_an_interrupted_upload(phone: Phone) -> None:
    path = "visits/alice/resumed/audio.m4a"
    url = phone.start(path)
    half = 512 * 1024
    assert phone.step(url, "upload", SOUND[:half]).headers["X-Goog-Upload-Status"] == "active"

    with httpx.Client(timeout=30) as http:
        later = Phone(http, phone.objects, phone.headers)
        asked = later.step(url, "query")
        assert asked.headers["X-Goog-Upload-Size-Received"] == str(half)
        done = later.step(url, "upload, finalize", SOUND[half:], offset=half)
        assert done.headers["X-Goog-Upload-Status"] == "final"
        assert done.json()["size"] == str(len(SOUND))
        # A repeated query gives the same response, because the first response may be lost.
        assert later.step(url, "query").headers["X-Goog-Upload-Status"] == "final"
    stored = phone.http.get(
        f"{phone.objects}/{path.replace('/', '%2F')}?alt=media", headers=phone.headers
    )
    assert stored.content == SOUND
    assert stored.headers["content-type"] == "audio/mp4"


@pytest.mark.parametrize("offset", [0, 1, 300_000, len(SOUND)])
def test_a_chunk_at_a_wrong_offset_is_refused_and_not_stored(phone: Phone, offset: int) -> None:
    url = phone.start(f"visits/alice/offset-{offset}/audio.m4a")
    phone.step(url, "upload", SOUND[:262144])
    assert phone.step(url, "upload, finalize", SOUND[:10], offset=offset).status_code == 400
    done = phone.step(url, "upload, finalize", SOUND[262144:], offset=262144)
    assert done.json()["size"] == str(len(SOUND))


def test_the_first_of_two_concurrent_uploads_to_a_path_is_kept(phone: Phone) -> None:
    path = "visits/alice/raced/audio.m4a"
    first, second = phone.start(path), phone.start(path)
    assert phone.step(second, "upload, finalize", SOUND).status_code == 200
    assert phone.step(first, "upload, finalize", b"other").status_code == 403
    stored = phone.http.get(f"{phone.objects}/{path.replace('/', '%2F')}", headers=phone.headers)
    assert stored.json()["size"] == str(len(SOUND))


def test_a_cancelled_upload_cannot_be_continued(phone: Phone) -> None:
    url = phone.start("visits/alice/cancelled/audio.m4a")
    assert phone.step(url, "cancel").headers["X-Goog-Upload-Status"] == "cancelled"
    assert phone.step(url, "query").status_code == 404


def test_only_allowed_origins_get_cors_headers(phone: Phone) -> None:
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-goog-upload-command",
    }
    known = phone.http.options(phone.objects, headers={"Origin": PAGE, **asked})
    assert known.headers["access-control-allow-origin"] == PAGE
    answer = phone.http.get(f"{phone.objects}/x", headers={"Origin": PAGE})
    assert "X-Goog-Upload-URL" in answer.headers["access-control-expose-headers"]
    other = phone.http.options(phone.objects, headers={"Origin": "http://evil.example", **asked})
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize("named", [None, "http://localhost:1234"])
def test_the_allowed_origins_have_a_default(named: str | None) -> None:
    env = dict(os.environ) | ({"WEB_ORIGINS": named} if named else {"WEB_ORIGINS": ""})
    with skipped_without_emulators():
        planned = plan(Options(in_memory=True, env=env))
    origins = planned.function_env["WEB_ORIGINS"]
    assert origins == (named or WEB_ORIGINS)
    (front,) = [each for each in planned.processes if each.name == "firebase_storage"]
    assert front.argv[-2:] == ("--origins", origins)


def test_an_invalid_token_and_another_bucket_are_refused(phone: Phone) -> None:
    bad = phone.http.get(f"{phone.objects}/{PATH}", headers={"Authorization": "Firebase none"})
    assert bad.status_code == 401
    other = phone.http.get(phone.objects.replace(PROJECT, "other"), headers=phone.headers)
    assert other.status_code in (403, 404)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/related; boundary=x", b"--x\r\n\r\n{}\r\n--x--"),
        ("multipart/related; boundary=x", b"--x\r\n\r\nno\r\n--x\r\n\r\n1\r\n--x--"),
        ("multipart/related; boundary=x", b"--x\r\n\r\n[]\r\n--x\r\n\r\n1\r\n--x--"),
        ("multipart/related; boundary=x", b"--x\r\n{}\r\n--x\r\n\r\n1\r\n--x--"),
    ],
)
def test_a_multipart_upload_without_two_parts_is_refused(content_type: str, body: bytes) -> None:
    with pytest.raises(Malformed):
        metadata_and_content(content_type, body)


def test_a_multipart_upload_keeps_any_bytes_unchanged() -> None:
    sound = b"\r\n--x\r\n" + SOUND + b"\r\n"
    body = b'--x\r\n\r\n{"a": 1}\r\n--x\r\nA: b\r\n\r\n' + sound + b"\r\n--x--\r\n"
    assert metadata_and_content("multipart/related; boundary=x", body) == ({"a": 1}, sound)
