"""The JSON schemas for clients match the models, and stored documents are valid under them."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from infra.schemas import documents
from infra.schemas.__main__ import main
from lumimd.domain.document import Document
from lumimd.domain.transcript import Transcript
from lumimd.domain.visit import Status, Visit
from lumimd.pipeline.accept import accept
from lumimd.pipeline.collect import collect
from lumimd.pipeline.summarize import summarize
from lumimd.ports.transcriber import Transcribed
from tests.support.servers import skipped_without_emulators
from tests.support.services import START, MemoryServices, transcript


def test_the_json_schemas_for_clients_match_the_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check", "--json-only"]) == 0, capsys.readouterr().err


def test_the_typescript_types_for_clients_match_the_json_schemas(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with skipped_without_emulators():
        assert main(["--check"]) == 0, capsys.readouterr().err


def test_stale_missing_and_superfluous_schema_files_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "FOLDER", tmp_path)
    documents.write()
    assert documents.stale() == []
    (tmp_path / "visit.json").write_text("{}")
    (tmp_path / "gone.json").write_text("{}")
    (tmp_path / "action.json").unlink()
    assert [path.name for path in documents.stale()] == ["action.json", "gone.json", "visit.json"]


def test_every_field_of_a_visit_is_in_its_schema_and_internal_fields_are_marked() -> None:
    properties = schema("visit")["properties"]
    assert len(properties) == len(Visit.model_fields)
    internal = {name for name, field in properties.items() if field.get("x-internal")}
    assert {"wakeAt", "claim", "trace"} <= internal
    assert not {"status", "summary", "processingError"} & internal


@pytest.mark.parametrize("name", ["visit-change", "action-change"])
def test_the_schema_of_a_change_has_no_defaults_and_no_required_fields(name: str) -> None:
    """A client that sends defaults would overwrite fields that the change does not name."""
    assert '"default"' not in json.dumps(schema(name))
    assert "required" not in schema(name)


async def test_the_documents_after_every_pipeline_step_are_valid_under_the_schemas() -> None:
    services = MemoryServices()
    await accept(services, services.upload())
    await check(services)
    (order,) = services.transcriber.orders
    services.transcriber.finish(order.transcript_id, Transcribed(transcript()))
    await collect(services, "visit-1", 1, order.transcript_id)
    await check(services)
    await summarize(services, "visit-1", 1)
    assert (await check(services)).status is Status.COMPLETED


async def test_the_documents_of_a_failed_visit_are_valid_under_the_schemas() -> None:
    services = MemoryServices()
    announced = services.upload()
    services.audio.put(announced.audio, b"no recording")
    await accept(services, announced)
    assert (await check(services)).status is Status.FAILED


async def check(services: MemoryServices) -> Visit:
    stored = await services.store.get("visit-1")
    assert stored
    validate("visit", stored.visit)
    for page in Transcript(utterances=await services.store.transcript("visit-1")).pages():
        validate("transcript-page", page)
    for entry in await services.store.history("visit-1"):
        validate("history-entry", entry)
    for action in await services.store.actions("visit-1"):
        validate("action", action)
    return stored.visit


def test_the_schema_of_a_visit_refuses_an_invalid_document() -> None:
    visit = Visit(visit_id="v", user_id="u", created_at=START, updated_at=START)
    validate("visit", visit)
    for broken in (
        {**visit.to_stored(), "status": "done"},
        {**visit.to_stored(), "progressPercent": "10"},
        {key: value for key, value in visit.to_stored().items() if key != "processingStatus"},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(plain(broken), schema("visit"))


def validate(name: str, document: Document) -> None:
    jsonschema.validate(plain(document.to_stored()), schema(name))


def plain(stored: dict[str, Any]) -> Any:
    """Return the document as JSON, with instants in RFC 3339."""
    return json.loads(json.dumps(stored, default=lambda instant: instant.isoformat()))


def schema(name: str) -> Any:
    return json.loads((documents.FOLDER / f"{name}.json").read_text())
