"""The installed emulators run under the supervisor, answer, and leave no process behind."""

import os
from pathlib import Path

import httpx
import pytest
from google.cloud import firestore

from infra.local import emulators
from infra.local.supervision.ports import LOOPBACK, free_ports
from infra.local.supervision.processes import Process, Processes
from infra.local.supervision.ready import http_ok, port_open
from tests.support.servers import skipped_without_emulators

pytestmark = pytest.mark.emulator

PROJECT = "demo-emulators"


async def test_a_restarted_firestore_emulator_is_empty_and_stores_documents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_ports({"firestore": 0})["firestore"]
    with skipped_without_emulators():
        command = emulators.firestore_command(port=port, project=PROJECT, env=os.environ)
    emulator = Process(name="firestore", argv=command, ready=http_ok(f"http://{LOOPBACK}:{port}/"))
    # The client reads the emulator's address only from the environment.
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", f"{LOOPBACK}:{port}")
    async with Processes([emulator], run_dir=tmp_path) as stack:
        client = firestore.AsyncClient(project=PROJECT)
        await client.document("visits/one").create({"status": "processing"})
        await stack.kill("firestore")
        await stack.start("firestore")  # the documents were only in memory, so they are gone
        assert not (await client.document("visits/one").get()).exists
        await client.document("visits/one").create({"status": "processing"})
        assert (await client.document("visits/one").get()).to_dict() == {"status": "processing"}
        client.close()  # type: ignore[no-untyped-call]  # the library has no annotation there
    with pytest.raises(ConnectionRefusedError):
        await port_open(port)()


async def test_the_storage_emulator_publishes_an_upload_to_pubsub(tmp_path: Path) -> None:
    ports = free_ports({"pubsub": 0, "storage": 0})
    pubsub_url, storage_url = (f"http://{LOOPBACK}:{port}" for port in ports.values())
    with skipped_without_emulators():
        pubsub = emulators.pubsub_command(port=ports["pubsub"], env=os.environ)
        storage = emulators.fake_gcs_command(
            port=ports["storage"], env=os.environ, pubsub_project=PROJECT, pubsub_topic="audio"
        )
    stack = [
        Process(name="pubsub", argv=pubsub, ready=http_ok(pubsub_url)),
        Process(
            name="storage",
            argv=storage,
            env={"PUBSUB_EMULATOR_HOST": f"{LOOPBACK}:{ports['pubsub']}"},
            ready=http_ok(f"{storage_url}/_internal/healthcheck"),
        ),
    ]
    async with Processes(stack, run_dir=tmp_path), httpx.AsyncClient(timeout=20) as http:
        topic = f"projects/{PROJECT}/topics/audio"
        subscription = f"{pubsub_url}/v1/projects/{PROJECT}/subscriptions/events"
        requests = [
            ("PUT", f"{pubsub_url}/v1/{topic}", {}),
            ("PUT", subscription, {"topic": topic}),
            ("POST", f"{storage_url}/storage/v1/b", {"name": "visits"}),
            ("POST", f"{storage_url}/upload/storage/v1/b/visits/o?uploadType=media&name=a.m4a", {}),
            ("POST", f"{subscription}:pull", {"maxMessages": 1}),
        ]
        for method, url, body in requests:
            reply = await http.request(method, url, json=body)
            assert reply.is_success, reply.text
        [received] = reply.json()["receivedMessages"]
        attributes = received["message"]["attributes"]
        assert (attributes["eventType"], attributes["objectId"]) == ("OBJECT_FINALIZE", "a.m4a")
    for port in ports.values():
        with pytest.raises(ConnectionRefusedError):
            await port_open(port)()
