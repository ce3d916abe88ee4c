"""A stream that parses the log lines written to it."""

import io
import json
from typing import Any


class Lines(io.StringIO):
    """A stream for log lines, with queries by event."""

    def all(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]

    def of(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.all() if line["event"] == event]

    def one(self, event: str) -> dict[str, Any]:
        (line,) = self.of(event)
        return line
