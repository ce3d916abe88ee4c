"""The local Eventarc: its events (pure functions), its responses to pushes, and the whole path.

The path goes from an upload to fake-gcs-server through the Pub/Sub emulator to a function.
"""

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import NamedTuple
from urllib.parse import unquote

import httpx
import pytest
from cloudevents.http import from_http
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from hypothesis import given
from hypothesis import strategies as st

from infra.local.emulators import EmulatorMissing, fake_gcs_command, pubsub_command
from infra.local.eventarc.event import FINALIZED, MalformedPush, finalized_event
from infra.local.eventarc.server import PUSH_PATH, create_app
from infra.local.supervision.ports import free_ports
from tests.local.recording_worker import DEADLINE_S, STOP_WITHIN_S, eventually, recording_worker

PROJECT, TOPIC, BUCKET = "demo-lumimd", "storage-events", "visits-bucket"
NAMES = ["visits/u1/v1/audio.m4a", 'visits/u 1/"50%".m4a', "visits/Ünal/визит-診察/аудио.m4a"]

# The notification that fake-gcs-server publishes, field for field.
STORED = {
    "kind": "storage#object",
    "id": f"{BUCKET}/{NAMES[0]}#1795341289435478",
    "name": NAMES[0],
    "bucket": BUCKET,
    "generation": "1795341289435478",
    "contentType": "audio/mp4",
    "timeCreated": "2026-11-22T09:54:49.435461Z",
    "updated": "2026-11-22T09:54:49.435466Z",
    "storageClass": "STANDARD",
    "size": "5",
    "md5Hash": "XUFAKrxLKna5cZ2REBfFkg==",
    "crc32c": "mnG7TA==",
}


def a_push(event_type: str = "OBJECT_FINALIZE", **stored) -> bytes:
    attributes = {"eventType": event_type, "eventTime": "2026-11-22T09:54:49Z"}
    message = {
        "messageId": "17",
        "publishTime": "2026-11-22T09:54:49.457Z",
        "attributes": attributes | {"bucketId": BUCKET, "payloadFormat": "JSON_API_V1"},
        "data": base64.b64encode(json.dumps(STORED | stored).encode()).decode(),
    }
    return json.dumps({"message": message, "subscription": "projects/p/subscriptions/s"}).encode()


# The events as pure functions


def test_a_finalize_notification_becomes_the_event_that_eventarc_sends():
    event = finalized_event(a_push())
    assert event.headers == {
        "ce-specversion": "1.0",
        "ce-id": "17",
        "ce-type": FINALIZED,
        "ce-source": f"//storage.googleapis.com/projects/_/buckets/{BUCKET}",
        "ce-subject": f"objects/{NAMES[0]}",
        "ce-time": "2026-11-22T09:54:49Z",
        "ce-bucket": BUCKET,
        "content-type": "application/json",
    }
    data = json.loads(event.body)
    assert data["id"] == f"{BUCKET}/{NAMES[0]}/1795341289435478"
    assert (data["generation"], data["metageneration"], data["size"]) == (
        "1795341289435478",
        "1",
        "5",
    )
    assert data["timeStorageClassUpdated"] == STORED["timeCreated"]
    assert data["contentType"] == "audio/mp4"


def test_numbers_in_an_event_are_encoded_as_strings_as_in_proto_json():
    data = json.loads(finalized_event(a_push(generation=12, size=3, metageneration=1)).body)
    assert (data["generation"], data["size"], data["metageneration"]) == ("12", "3", "1")


def test_event_headers_are_encoded_by_the_http_binding_of_cloudevents():
    subject = finalized_event(a_push(name='a "b"/50%/é~!')).headers["ce-subject"]
    assert subject == "objects/a%20%22b%22/50%25/%C3%A9~!"


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_object_name_is_preserved_in_the_event_header_and_body(name):
    event = finalized_event(a_push(name=name))
    subject = event.headers["ce-subject"]
    assert all("\x21" <= character <= "\x7e" for character in subject)
    assert unquote(subject, errors="strict") == f"objects/{name}"
    assert json.loads(event.body)["name"] == name


@pytest.mark.parametrize(
    "push", [b"", b"[]", b'{"message": 1}', a_push(name=None).replace(b'"data"', b'"date"')]
)
def test_a_malformed_push_is_an_error(push):
    with pytest.raises(MalformedPush):
        finalized_event(push)


# The responses to pushes


async def push(target: str, body: bytes) -> int:
    """Push `body` to a forwarder to `target`; return the status of its response."""
    app = create_app(target, pubsub="", project=PROJECT, topic=TOPIC, push_endpoint="")
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://forwarder") as client:
        return (await client.post(PUSH_PATH, content=body)).status_code


@pytest.mark.parametrize("event_type", ["OBJECT_DELETE", "OBJECT_METADATA_UPDATE", "OTHER"])
async def test_events_other_than_finalize_are_acknowledged_and_not_forwarded(event_type):
    async with recording_worker() as function:
        assert await push(function.url, a_push(event_type)) == 204
        assert function.requests == []


@pytest.mark.parametrize(
    ("answer", "pushed"), [(200, 204), (204, 204), (302, 502), (400, 502), (500, 502)]
)
async def test_a_push_is_acknowledged_only_after_a_2xx_from_the_function(answer, pushed):
    async with recording_worker() as function:
        function.answer_in_turn(answer)
        assert await push(function.url, a_push()) == pushed


async def test_a_push_that_is_malformed_or_meets_a_stopped_function_is_not_acknowledged():
    async with recording_worker() as function:
        down = function.url
    assert await push(down, a_push()) == 503
    assert await push(down, b"not a push") == 400


# The whole path


class Emulators(NamedTuple):
    pubsub: str  # host:port
    storage: str  # URL


@pytest.fixture(scope="module")
def emulators(tmp_path_factory):
    """The Pub/Sub emulator and fake-gcs-server, as the local stack runs them."""
    ports = free_ports({"pubsub": 0, "storage": 0})
    pubsub = f"127.0.0.1:{ports['pubsub']}"
    try:
        commands = {
            "pubsub": pubsub_command(port=ports["pubsub"], env=os.environ),
            "storage": fake_gcs_command(
                port=ports["storage"],
                env=os.environ,
                pubsub_project=PROJECT,
                pubsub_topic=TOPIC,
            ),
        }
    except EmulatorMissing as missing:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(missing))
    logs = tmp_path_factory.mktemp("emulators")
    environment = os.environ | {"PUBSUB_EMULATOR_HOST": pubsub}
    processes = []
    try:
        for name, command in commands.items():
            with (logs / name).open("wb") as log:
                processes.append(subprocess.Popen(command, stdout=log, stderr=log, env=environment))
        yield Emulators(pubsub, f"http://127.0.0.1:{ports['storage']}")
    finally:
        for process in processes:
            process.kill()
            process.wait()


@asynccontextmanager
async def forwarder(emulators: Emulators, target: str):
    """Run `python -m infra.local.eventarc` until it is healthy; stop it by SIGTERM."""
    port = free_ports({"eventarc": 0})["eventarc"]
    options = ["--port", str(port), "--pubsub", emulators.pubsub, "--target", target]
    options += ["--project", PROJECT, "--topic", TOPIC]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "infra.local.eventarc", *options, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with httpx.AsyncClient(trust_env=False) as client:
            storage_url = f"{emulators.storage}/storage/v1/b?project={PROJECT}"
            await eventually(lambda: is_up(client, f"http://127.0.0.1:{port}/healthz"))
            await eventually(lambda: is_up(client, storage_url))
        yield
        process.send_signal(signal.SIGTERM)
        started_at = asyncio.get_running_loop().time()
        async with asyncio.timeout(DEADLINE_S):
            log = (await process.stderr.read()).decode()
            assert await process.wait() == 0, log
        assert asyncio.get_running_loop().time() - started_at < STOP_WITHIN_S
        assert "Traceback" not in log
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def is_up(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).is_success
    except httpx.TransportError:
        return False


async def upload(emulators: Emulators, *names: str) -> dict[str, str]:
    """Upload with the real client; return the generation of each object by its name."""

    def upload_all() -> dict[str, str]:
        client = storage.Client(
            project=PROJECT,
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": emulators.storage},
        )
        bucket = client.bucket(BUCKET)
        if not bucket.exists():
            client.create_bucket(bucket)
        generations = {}
        for name in names:
            blob = bucket.blob(name)
            blob.upload_from_string(b"sound", content_type="audio/mp4")
            generations[name] = str(blob.generation)
        return generations

    return await asyncio.to_thread(upload_all)


@pytest.mark.emulator
async def test_uploads_reach_the_function_as_cloud_events(emulators):
    async with recording_worker() as function, forwarder(emulators, function.url):
        generations = await upload(emulators, *NAMES)
        received = await function.received(len(NAMES))
        events = [from_http(dict(got.headers), got.body) for got in received]
        assert {event.data["name"]: event.data["generation"] for event in events} == generations
        assert len({event["id"] for event in events}) == len(NAMES)
        for event in events:
            assert event["type"] == FINALIZED
            assert event["source"] == f"//storage.googleapis.com/projects/_/buckets/{BUCKET}"
            assert unquote(event["subject"]) == f"objects/{event.data['name']}"
            assert event.data["size"] == "5"
            assert event.data["contentType"] == "audio/mp4"


@pytest.mark.emulator
async def test_a_failed_event_is_delivered_again_with_the_same_id(emulators):
    async with recording_worker() as function, forwarder(emulators, function.url):
        function.answer_in_turn(500, 200)
        await upload(emulators, "visits/u1/v2/audio.m4a")
        first, second = await function.received(2)
        assert first.headers["ce-id"] == second.headers["ce-id"]
        assert first.body == second.body


@pytest.mark.emulator
async def test_no_event_is_lost_when_many_fail_for_a_while(emulators):
    names = {f"visits/u1/many-{number}/audio.m4a" for number in range(20)}
    async with recording_worker() as function, forwarder(emulators, function.url):
        accepting = asyncio.Event()
        accepted = set()

        async def respond(got):
            if not accepting.is_set():
                return 503
            accepted.add(json.loads(got.body)["name"])
            return 200

        async def all_accepted():
            return names <= accepted

        function.respond = respond
        await upload(emulators, *sorted(names))
        await function.received(6 * len(names))  # every event has failed several times
        accepting.set()
        await eventually(all_accepted)


@pytest.mark.emulator
async def test_uploads_during_an_outage_of_the_forwarder_are_delivered_after_it(emulators):
    async with recording_worker() as function:
        async with forwarder(emulators, function.url):
            pass
        await upload(emulators, "visits/u1/v3/audio.m4a")
        async with forwarder(emulators, function.url):
            (got,) = await function.received(1)
            assert json.loads(got.body)["name"] == "visits/u1/v3/audio.m4a"
