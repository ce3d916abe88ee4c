"""Reads the documents and upload paths from the Swift and Kotlin snippets of docs/clients.md."""

import re
from dataclasses import dataclass
from typing import Any, Final

from infra.local.stack import ROOT

PAGE: Final = (ROOT / "docs" / "clients.md").read_text()
SERVER_TIME: Final = "SERVER_TIME"
"""A placeholder for `FieldValue.serverTimestamp()`."""

_ENTRY: Final = re.compile(r'^ +"(\w+)"(?: to|:) (.+),$', re.MULTILINE)
_PATH: Final = re.compile(r'"(visits/[^"]+)"')


@dataclass(frozen=True)
class PhoneSnippet:
    """The snippet in one programming language."""

    code: str

    def document(self, visit_id: str, user_id: str) -> dict[str, Any]:
        """Return the document that `createVisit` writes, with consent."""
        values = {
            "visitId": visit_id,
            "userId": user_id,
            "FieldValue.serverTimestamp()": SERVER_TIME,
        }
        document: dict[str, Any] = {}
        for name, written in _ENTRY.findall(self.code):
            if '"givenAt"' in written:
                assert "FieldValue.serverTimestamp()" in written
                document[name] = {"givenAt": SERVER_TIME}
            elif written.startswith('"'):
                document[name] = written.strip('"')
            else:
                document[name] = values[written]
        return document

    def path(self, visit_id: str, user_id: str) -> str:
        """Return the path to which `uploadRecording` uploads."""
        (written,) = set(_PATH.findall(self.code))
        for before, after in (
            *((r"\(userId)", user_id), (r"\(visitId)", visit_id)),  # Swift
            *(("$userId", user_id), ("$visitId", visit_id)),  # Kotlin
        ):
            written = written.replace(before, after)
        return written

    @property
    def content_type(self) -> str:
        """Return the content type that the snippet declares."""
        (written,) = set(re.findall(r'"(audio/[a-z0-9]+)"', self.code))
        return written


def _first(language: str) -> PhoneSnippet:
    return PhoneSnippet(re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[0])


SNIPPETS: Final = {language: _first(language) for language in ("swift", "kotlin")}
