"""This release completes the visits that earlier releases have written.

`tests/fixtures/documents/schema-N` has a visit in every state. A release of schema version N wrote
the visits: `either_release.py write` ran with the code of that release on the path.
"""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from lumimd.adapters.firestore.database import FirestoreDatabase
from lumimd.adapters.memory import MemoryVisitStore
from lumimd.domain.codes import ErrorCode
from lumimd.domain.dead_letter import DeadLetter
from lumimd.domain.document import Document
from lumimd.domain.transcript import TranscriptPage
from lumimd.domain.visit import (
    SCHEMA_VERSION,
    Action,
    HistoryEntry,
    ProcessingStatus,
    Status,
    Visit,
)
from lumimd.pipeline import accept, commands
from lumimd.policies.deployment import Policy
from lumimd.stores.deletions import Deletions
from lumimd.stores.retention_queries import RetentionQueries
from lumimd.stores.visit_store import VisitStore
from tests.release import either_release
from tests.release.either_release import STATES, Saved, carry, instants, the, world
from tests.support.admission import MemoryGate
from tests.support.services import MemoryServices

DOCUMENTS = Path(__file__).parents[1] / "fixtures" / "documents"
FIXTURES = sorted(DOCUMENTS.glob("schema-*/*.json"))
UNSET = (None, 0, [])
"""The values that an unset field can have."""

OF_EVERY_STATE = pytest.mark.parametrize(
    "path", FIXTURES, ids=lambda path: f"{path.parent.name}-{path.stem}"
)


def kind_of(path: str) -> type[Document]:
    match path.split("/"):
        case ["visits", _]:
            return Visit
        case ["visits", _, "transcript", _]:
            return TranscriptPage
        case ["visits", _, "history", _]:
            return HistoryEntry
        case ["actions", _]:
            return Action
        case ["deadLetters", _]:
            return DeadLetter
    raise AssertionError(path)


def test_every_schema_version_has_fixture_documents_in_every_state() -> None:
    folders = {path.name for path in DOCUMENTS.iterdir()}
    assert folders == {f"schema-{version}" for version in range(1, SCHEMA_VERSION + 1)}
    for folder in folders:
        assert {path.stem for path in FIXTURES if path.parent.name == folder} == set(STATES)


@OF_EVERY_STATE
def test_every_document_of_an_earlier_release_is_read_without_loss(path: Path) -> None:
    for at, stored in Saved.read(path).documents.items():
        kept = kind_of(at).from_stored(instants(stored)).model_dump(by_alias=True, mode="json")
        assert _normal(stored).items() <= _normal(kept).items()


@OF_EVERY_STATE
async def test_every_visit_of_an_earlier_release_is_completed(path: Path) -> None:
    saved = Saved.read(path)
    services = world(saved)
    await assert_completes(services, saved)


@pytest.mark.emulator
@pytest.mark.parametrize(
    "state", ["claimed-and-ordered", "transcribing", "summary-provisional", "partial"]
)
async def test_visits_of_the_present_schema_version_are_completed_in_firestore(
    state: str, firestore_host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from google.cloud import firestore

    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_host)
    client = firestore.AsyncClient(project=f"demo-{uuid.uuid4().hex[:12]}")
    database = FirestoreDatabase(lambda: client)
    saved = Saved.read(DOCUMENTS / f"schema-{SCHEMA_VERSION}" / f"{state}.json")
    for path, stored in saved.documents.items():
        await client.document(path).set(instants(stored))
    services = world(saved)
    gate = MemoryGate(MemoryVisitStore(), services.clock)
    services.__dict__["gate"] = gate  # this test needs no permits and turns in Firestore
    services.store = VisitStore(database)  # type: ignore[assignment]
    services.deletions = Deletions(database)  # type: ignore[assignment]
    services.retention_queries = RetentionQueries(database)  # type: ignore[assignment]
    await assert_completes(services, saved)
    client.close()


async def assert_completes(services: MemoryServices, saved: Saved) -> None:
    """Check that the visit completes, after a retry if it failed, and that no order is repeated."""
    visit_id = saved.visit_id
    before = await the(services, visit_id)
    ordered, words = len(services.transcriber.orders), await services.store.transcript(visit_id)
    if before.audio is None:
        await accept.accept(services, services.upload(visit_id))
    elif before.processing_status is ProcessingStatus.FAILED:
        await commands.retry(services, visit_id)
    after = await carry(services, visit_id)

    if before.status is Status.CANCELLED:
        assert after == before
        return
    assert (after.status, after.source) == (Status.COMPLETED, "model")
    assert len(await services.store.actions(visit_id)) == 2
    assert await services.store.dead_letter(visit_id) is None
    history = await services.store.history(visit_id)
    assert [entry.position for entry in history] == list(range(after.history_length))
    if words:
        assert await services.store.transcript(visit_id) == words
    new_orders = len(services.transcriber.orders) - ordered
    needs_one = not words and all(order["state"] == "Failed" for order in saved.orders)
    assert new_orders == (1 if needs_one else 0)


async def test_an_old_visit_without_consent_completes_only_after_consent_is_given() -> None:
    """The visit has no consent, because an earlier release did not store consent."""
    saved = Saved.read(DOCUMENTS / "schema-1" / "created-by-client.json")
    services = world(saved)
    services.policy = Policy(requires_consent=True)
    await accept.accept(services, services.upload(saved.visit_id))
    refused = await the(services, saved.visit_id)
    assert refused.processing_error
    assert refused.processing_error.code is ErrorCode.CONSENT_MISSING
    await commands.give_consent(services, saved.visit_id)
    assert (await carry(services, saved.visit_id)).status is Status.COMPLETED


@pytest.mark.parametrize("state", sorted(STATES))
async def test_documents_of_a_newer_release_are_read(state: str) -> None:
    """After a rollback, this release reads documents with fields of the next release."""
    services = MemoryServices()
    await STATES[state](services, "visit-1")
    for path, stored in either_release.of(services).documents.items():
        kind_of(path).from_stored({**instants(stored), "ofTheNextRelease": {"a": [1]}})


def _normal(stored: dict[str, Any]) -> dict[str, str]:
    """Return the document with one spelling of each instant, number and unset field."""
    return {
        name: json.dumps(_without_new(value), sort_keys=True).replace("+00:00", "Z")
        for name, value in stored.items()
    }


def _without_new(value: Any) -> Any:
    """Return the value without unset fields, because newer releases add fields."""
    if isinstance(value, dict):
        return {name: _without_new(each) for name, each in value.items() if each not in UNSET}
    return [_without_new(each) for each in value] if isinstance(value, list) else value
