"""Add the temporary object holds of Cloud Storage to a storage server that has none.

Source: cloud.google.com/storage/docs/object-holds. The server answers 403 to a request that deletes
or replaces an object under a hold. The hold is the field `temporaryHold` of the object's metadata,
which a PATCH sets.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx

_ONE = "/storage/v1/b/"


@contextmanager
def object_holds(upstream: str) -> Iterator[str]:
    """Run a server that adds object holds to the storage server at `upstream`; yields its URL."""
    held: set[str] = set()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            """Log nothing."""

        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            name = _object_of(self.path)
            replaced = parse_qs(urlsplit(self.path).query).get("name", [None])[0]
            if (self.command == "DELETE" and name in held) or (
                self.command == "POST" and replaced in held
            ):
                self._say(403, _FORBIDDEN)
                return
            change = json.loads(body) if self.command == "PATCH" and body else {}
            if name is not None and "temporaryHold" in change:
                (held.add if change["temporaryHold"] else held.discard)(name)
            kept = {"content-type", "range"}
            headers = {k: v for k, v in self.headers.items() if k.lower() in kept}
            answer = httpx.request(
                self.command, upstream + self.path, content=body, headers=headers, timeout=30
            )
            content = answer.content
            if answer.headers.get("content-type", "").startswith("application/json"):
                content = json.dumps(_with_holds(answer.json(), held)).encode()
            self._say(answer.status_code, content, answer.headers.get("content-type"))

        def _say(self, status: int, content: bytes, kind: str | None = None) -> None:
            self.send_response(status)
            self.send_header("content-type", kind or "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = _do  # noqa: N815  # the names of the module

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


_FORBIDDEN = json.dumps(
    {
        "error": {
            "code": 403,
            "message": "Object is under active Temporary hold and cannot be deleted, "
            "overwritten or archived until hold is removed.",
            "errors": [{"domain": "global", "reason": "forbidden"}],
        }
    }
).encode()


def _object_of(path: str) -> str | None:
    found = urlsplit(path).path
    if not found.startswith(_ONE) or "/o/" not in found:
        return None
    return unquote(found.partition("/o/")[2])


def _with_holds(answer: Any, held: set[str]) -> Any:
    for each in (answer, *answer.get("items", ())) if isinstance(answer, dict) else ():
        if each.get("kind") == "storage#object":
            each["temporaryHold"] = each["name"] in held
    return answer
