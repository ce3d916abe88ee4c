"""A client made by a public OpenAPI generator creates, edits and deletes visits without loss."""

import asyncio
import io
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from lumimd.adapters.local_tokens import LocalTokens
from lumimd.runtime.services import SystemClock
from tests.stack.conftest import PATIENCE_S, Pipeline
from tests.support.generated_client import GeneratedClient, generated, signed_in
from tests.support.servers import skipped_without_emulators

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

USER = "generated-client"
RECORDING = Path(__file__).parents[2] / "samples" / "visit.m4a"
SPOKEN = [
    {"speaker": "A", "text": "Your blood pressure is high. Start taking lisinopril 10 mg daily."},
    {"speaker": "B", "text": "I will do that."},
    {"speaker": "A", "text": "Please make an appointment for a blood test in two weeks."},
]
SAID = [line["text"] for line in SPOKEN]
BETTER = "Blood test, on Tuesday"
OWN = "Ask my sister for a lift"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    with skipped_without_emulators():
        return generated(tmp_path_factory.mktemp("generated"))


@pytest.fixture
def client(pipeline: Pipeline, package: ModuleType) -> Iterator[GeneratedClient]:
    env = pipeline.stack.plan.function_env
    tokens = LocalTokens(env["LOCAL_TOKEN_SECRET"], env["GOOGLE_CLOUD_PROJECT"], SystemClock())
    with signed_in(package, pipeline.stack.plan.url("api"), tokens.issue(USER)) as client:
        yield client


@dataclass(frozen=True)
class Owner:
    """An owner of visits, whose requests go through the generated client."""

    client: GeneratedClient

    def create(self, *, key: str) -> Any:
        """Create a visit; return the visit and its upload target."""
        new = self.client.model("NewVisit")(consent=True, title="Knee", tags=["left"])
        once, twice = (
            self.client.call("visits.create_visit", body=new, idempotency_key=key)
            for _ in range(2)  # the second call is a retry after a lost response
        )
        assert once == twice
        return once

    def upload(self, created: Any) -> None:
        """Upload the recording to the bucket, in the resumable session of the API's response."""
        target = created.upload
        announced = {"Content-Type": target.content_type}
        sent = httpx.put(target.url, content=RECORDING.read_bytes(), headers=announced)
        assert sent.status_code == 200, sent.text

    def ended(self, visit_id: str) -> Any:
        """Wait until the visit has ended, and return its status."""
        deadline = time.monotonic() + PATIENCE_S
        while (found := self.client.call("visits.read_status", visit_id=visit_id)).status == (
            "processing"
        ):
            assert time.monotonic() < deadline, found
            time.sleep(0.2)  # the API has no event to wait for
        return found

    def change(self, action_id: str, **fields: Any) -> None:
        """Change only the given fields of an action item."""
        body = self.client.model("ActionChange")(**fields)
        self.client.call("actions.change_action", action_id=action_id, body=body)

    def items(self, visit_id: str) -> dict[str, tuple[str, bool]]:
        """Return the text and the completed flag of each action item, by its id."""
        items = self.client.call("visits.read_actions", visit_id=visit_id).actions
        return {item.action_id: (item.text, item.completed) for item in items}

    def transcript(self, visit_id: str) -> list[str]:
        """Return the texts of the transcript's utterances."""
        found = self.client.call("visits.read_transcript", visit_id=visit_id)
        return [utterance.text for utterance in found.utterances]

    def export(self) -> str:
        """Return the text of all files in the owner's exported archive."""
        archive = self.client.call("me.export_everything").payload.read()
        exported = zipfile.ZipFile(io.BytesIO(archive))
        return "".join(exported.read(name).decode() for name in exported.namelist())


async def test_the_generated_client_creates_uploads_retries_and_deletes_a_visit(
    pipeline: Pipeline, client: GeneratedClient
) -> None:
    owner = Owner(client)
    created = owner.create(key=pipeline.new_visit())
    visit_id = created.visit.visit_id
    await pipeline.script(visit_id, error="Unsupported language.", times=1)
    await pipeline.script(visit_id, utterances=SPOKEN)
    await asyncio.to_thread(owner.upload, created)
    failed = await asyncio.to_thread(owner.ended, visit_id)
    assert (failed.status, failed.error.code) == ("failed", "transcription_failed")
    again = client.call("visits.retry_visit", visit_id=visit_id)
    assert again.attempt == 2
    assert (await asyncio.to_thread(owner.ended, visit_id)).status == "completed"
    assert owner.transcript(visit_id) == SAID

    assert client.call("visits.delete_visit", visit_id=visit_id).visit_id == visit_id
    assert client.call("visits.read_visit", visit_id=visit_id).code == "not_found"
    assert await pipeline.orders(visit_id) == 2


@dataclass(frozen=True)
class Edited:
    """A completed visit that its owner has edited."""

    visit_id: str
    items: dict[str, tuple[str, bool]]


async def edited(pipeline: Pipeline, owner: Owner) -> Edited:
    """Let a visit complete, then edit it by changes that each name only one field."""
    created = owner.create(key=pipeline.new_visit())
    visit_id = created.visit.visit_id
    await pipeline.script(visit_id, utterances=SPOKEN)
    await asyncio.to_thread(owner.upload, created)
    assert (await asyncio.to_thread(owner.ended, visit_id)).status == "completed"
    said = owner.items(visit_id)
    assert said
    first = next(iter(said))
    new = owner.client.model("NewAction")(visit_id=visit_id, text=OWN)
    own = owner.client.call("actions.create_action", body=new).action_id
    owner.change(first, text=BETTER)
    owner.change(first, completed=True)
    owner.change(own, completed=True)
    archived = owner.client.model("VisitChange")(archived=True)
    owner.client.call("visits.change_visit", visit_id=visit_id, body=archived)
    return Edited(visit_id, said | {first: (BETTER, True), own: (OWN, True)})


async def test_edits_regeneration_and_export_by_the_generated_client_lose_no_text(
    pipeline: Pipeline, client: GeneratedClient
) -> None:
    owner = Owner(client)
    done = await edited(pipeline, owner)
    assert owner.items(done.visit_id) == done.items

    assert client.call("visits.regenerate_summary", visit_id=done.visit_id).attempt
    assert (await asyncio.to_thread(owner.ended, done.visit_id)).status == "completed"

    visit = client.call("visits.read_visit", visit_id=done.visit_id)
    assert (visit.title, visit.tags, visit.archived) == ("Knee", ["left"], True)
    assert owner.transcript(done.visit_id) == SAID
    kept = owner.items(done.visit_id).values()
    assert (OWN, True) in kept
    exported = owner.export()
    for text in ("Knee", *SAID, *(text for text, _ in kept)):
        assert text in exported, text
    client.call("visits.delete_visit", visit_id=done.visit_id)


async def test_regeneration_keeps_the_edits_of_the_owner(
    pipeline: Pipeline, client: GeneratedClient
) -> None:
    owner = Owner(client)
    done = await edited(pipeline, owner)
    client.call("visits.regenerate_summary", visit_id=done.visit_id)
    assert (await asyncio.to_thread(owner.ended, done.visit_id)).status == "completed"
    assert sorted(owner.items(done.visit_id).values()) == sorted(done.items.values())
