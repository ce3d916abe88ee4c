"""Reads stored documents, which may be damaged or written by a newer release.

The log names an unreadable document by its collection and id, and names the field and the rule that
is broken, but never quotes the contents. Alerts count these lines.
"""

from collections.abc import Iterable
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from lumimd.domain.document import Document
from lumimd.domain.errors import UnreadableDocument
from lumimd.domain.paths import USERS
from lumimd.domain.profile import Profile
from lumimd.telemetry import logs

D = TypeVar("D", bound=Document)
E = TypeVar("E")

MOST_NAMED: Final = 20
"""The most unreadable documents of one page that are logged; a rollback may leave thousands."""


def read(kind: type[D], collection: str, document_id: str, stored: Any) -> D:
    """Return the parsed document.

    Raises:
        UnreadableDocument: this release cannot read the document; the function has logged this.
    """
    try:
        return kind.from_stored(stored)
    except (ValueError, TypeError) as error:
        _name(collection, document_id, error)
        raise UnreadableDocument(
            collection, document_id
        ) from None  # the cause may quote the document


def readable(
    kind: type[D], collection: str, found: Iterable[tuple[str, Any, E]]
) -> tuple[list[tuple[D, E]], tuple[str, ...]]:
    """Return the readable documents of `found`, each with its extra value, and the skipped ids."""
    documents: list[tuple[D, E]] = []
    passed_over: list[str] = []
    for document_id, stored, extra in found:
        try:
            documents.append((kind.from_stored(stored), extra))
        except (ValueError, TypeError) as error:
            if len(passed_over) < MOST_NAMED:
                _name(collection, document_id, error)
            passed_over.append(document_id)
    if passed_over:
        count = len(passed_over)
        logs.event("documents_passed_over", "warning", collection=collection, count=count)
    return documents, tuple(passed_over)


def profile_of(user_id: str, stored: object) -> Profile:
    """Return the stored profile; an unreadable field counts as unset and is logged.

    Owners write their preferences themselves, so that unreadable preferences must not stop uploads.
    """
    fields = stored if isinstance(stored, dict) else {}
    try:
        return read(Profile, USERS, user_id, {**fields, "userId": user_id})
    except UnreadableDocument:
        tier = fields.get("tier")
        return Profile(user_id=user_id, tier=tier if isinstance(tier, str) else None)


def _name(collection: str, document_id: str, error: Exception) -> None:
    # A user's id may be an e-mail address, and the deletion receipt of an account contains the id.
    names_a_user = collection == USERS or document_id.startswith("~")
    logs.event(
        "document_unreadable",
        "error",
        collection=collection,
        documentId=None if names_a_user else document_id,
        reason=_reason(error),
    )


def _reason(error: Exception) -> str:
    """Return the field of our class and the broken rule, for instance `currentStep enum`."""
    if not isinstance(error, ValidationError):
        return type(error).__name__
    first = error.errors(include_input=False, include_context=False, include_url=False)[0]
    field = first["loc"][0] if first["loc"] else "document"
    return f"{field} {first['type']}"
