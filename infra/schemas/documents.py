"""JSON Schemas of the stored documents, generated from the models of the pipeline."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from lumimd.domain.client_access import ActionChange, NewVisit, VisitChange
from lumimd.domain.document import Document
from lumimd.domain.profile import Profile
from lumimd.domain.transcript import TranscriptPage
from lumimd.domain.visit import Action, Deletion, HistoryEntry, Visit

FOLDER: Final = Path(__file__).parent

READ: Final[Mapping[str, tuple[type[Document], str]]] = {
    "visit": (Visit, "visits/{visitId}"),
    "transcript-page": (TranscriptPage, "visits/{visitId}/transcript/{page}"),
    "history-entry": (HistoryEntry, "visits/{visitId}/history/{position}"),
    "action": (Action, "actions/{actionId}"),
    "profile": (Profile, "users/{userId}"),
    "deletion": (Deletion, "deletions/{visitId}"),
}
"""The model and the path of each document that clients read, by the name of the schema."""

WRITTEN: Final[Mapping[str, tuple[Any, str]]] = {
    "new-visit": (NewVisit, "visits/{visitId}"),
    "visit-change": (VisitChange, "visits/{visitId}"),
    "action-change": (ActionChange, "actions/{actionId}"),
}
"""The model and the path of each document that the security rules let clients write."""

INTERNAL: Final[Mapping[type[Document], frozenset[str]]] = {
    Visit: frozenset(
        {
            *("stage_tries", "possible_orders", "restarts", "requests", "wake_at", "lease"),
            *("trace", "trouble", "held_since", "history_length"),
        }
    ),
    Deletion: frozenset({"wake_at", "settled_at", "bucket", "folder", "transcript_ids"}),
}
"""Fields for the pipeline's own use. An owner can read these fields, because Firestore serves
whole documents. The types for clients omit them, because any release may change them."""

ALWAYS_THERE: Final = frozenset({"status", "processingStatus"})
"""Fields with a default that are in every stored visit, since the security rules require them."""


class _Names(GenerateJsonSchema):
    """Gives titles to models only, because the title of a field would repeat the field's name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schemas() -> dict[str, dict[str, Any]]:
    """Generate the current schemas, by name."""
    made = {name: _schema(model, path) for name, (model, path) in {**READ, **WRITTEN}.items()}
    for name in WRITTEN:
        made[name]["x-written"] = True
    return made


def text(schema: Mapping[str, Any]) -> str:
    """Return the schema as the text of its JSON file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def stale() -> list[Path]:
    """Return the schema files that do not match their model, or that have no model any more."""
    wanted = {FOLDER / f"{name}.json": text(schema) for name, schema in schemas().items()}
    present = {path: path.read_text() for path in FOLDER.glob("*.json")}
    return sorted(
        path for path in wanted.keys() | present.keys() if wanted.get(path) != present.get(path)
    )


def write() -> None:
    """Write the current schemas and delete files without a model."""
    for path in FOLDER.glob("*.json"):
        path.unlink()
    for name, schema in schemas().items():
        (FOLDER / f"{name}.json").write_text(text(schema))


def _schema(model: Any, path: str) -> dict[str, Any]:
    made = TypeAdapter(model).json_schema(by_alias=True, schema_generator=_Names)
    if model is Visit:
        made["required"] = sorted({*made["required"], *ALWAYS_THERE})
    for name in INTERNAL.get(model, ()):
        made["properties"][model.model_fields[name].alias]["x-internal"] = True
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "x-path": path}
    return {**head, **made}
