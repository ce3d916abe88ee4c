"""The pipeline processes a visit that a client has created in Firestore under the rules."""

import uuid
from datetime import datetime
from typing import Any

import jsonschema
import pytest
from google.cloud import firestore
from pydantic import TypeAdapter

from infra.schemas.documents import schemas
from lumimd.adapters.firestore.database import FirestoreDatabase
from lumimd.domain.client_access import NewVisit
from lumimd.domain.commit import Commit
from lumimd.domain.visit import ProcessingStatus, Status
from lumimd.pipeline.accept import accept
from lumimd.stores.visit_store import VisitStore
from tests.support.services import START, MemoryServices

pytestmark = pytest.mark.emulator

LEAST = {
    "visitId": "visit-1",
    "userId": "user-1",
    "status": "processing",
    "processingStatus": "pending",
    "createdAt": START,
    "updatedAt": START,
}
MOST = {
    **LEAST,
    "kind": "visit",
    "title": "Dr. Who",
    "tags": ["heart"],
    "consent": {"givenAt": START},
}


@pytest.mark.parametrize("created", [LEAST, MOST], ids=["the least", "the most"])
async def test_a_visit_created_by_a_client_is_processed_and_keeps_the_owners_fields(
    created: dict[str, Any], firestore_host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    TypeAdapter(NewVisit).validate_python(created)
    jsonschema.validate(_plain(created), schemas()["new-visit"])
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_host)
    client = firestore.AsyncClient(project=f"demo-{uuid.uuid4().hex[:12]}")
    document = client.document("visits/visit-1")
    await document.create({**created, "createdAt": firestore.SERVER_TIMESTAMP})
    store = VisitStore(FirestoreDatabase(lambda: client))
    read = await store.get("visit-1")
    assert read
    assert (read.visit.status, read.visit.processing_status) == (
        Status.PROCESSING,
        ProcessingStatus.PENDING,
    )

    services = MemoryServices()
    await services.store.create(Commit(read.visit))
    await accept(services, services.upload())
    accepted = await services.store.get("visit-1")
    assert accepted
    await store.save(read, Commit(accepted.visit))

    saved = (await document.get()).to_dict()
    assert saved
    assert saved["processingStatus"] == "transcribing"
    assert saved["wakeAt"] is not None
    for field in ("userId", "title", "tags", "consent"):
        if field in created:
            assert saved[field] == created[field]
    client.close()


def test_the_schema_of_a_new_visit_requires_and_allows_the_tested_fields() -> None:
    """tests/rules creates documents with the same fields under the security rules."""
    schema = schemas()["new-visit"]
    assert set(LEAST) == set(schema["required"])
    assert set(MOST) == set(schema["properties"])


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return value
