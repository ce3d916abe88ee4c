"""A stub chat-completions server with OpenAI's protocol; a test scripts its responses.

Without a script it returns a summary with every kind of statement, all citing the first line of the
request.
"""

import asyncio
import json
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lumimd.domain.transcript import Transcript, Utterance
from tests.support.summaries import summary_of

KEY = "sk-canary-of-the-key"


@dataclass(frozen=True)
class Call:
    """One received request."""

    headers: Mapping[str, str]
    body: dict[str, Any]

    @property
    def instructions(self) -> str:
        """Return the text of the system message."""
        return self._said_by("system")

    @property
    def lines(self) -> list[str]:
        """Return the lines of the user's message, split at every kind of line end."""
        return self._said_by("user").splitlines()

    def _said_by(self, role: str) -> str:
        (content,) = [each["content"] for each in self.body["messages"] if each["role"] == role]
        return content


Reply = Callable[[Call, Request], Awaitable[Response]]


@dataclass
class OpenAIServer:
    """The server at `url`; `script` sets the responses to the next calls."""

    url: str
    calls: list[Call] = field(default_factory=list)
    hung_up: threading.Event = field(default_factory=threading.Event)
    """Set when a client has given up a call that got no response."""
    _replies: list[Reply] = field(default_factory=list)
    _ids: Iterator[int] = field(default_factory=count)

    def script(self, *replies: Reply) -> None:
        """Answer the next calls with `replies`, and later calls with a summary."""
        self._replies += replies

    def forget(self) -> None:
        """Reset the server for the next test."""
        self.calls.clear()
        self._replies.clear()
        self.hung_up.clear()

    async def __call__(self, request: Request) -> Response:
        body = await request.body()
        call = Call(dict(request.headers), json.loads(body))
        self.calls.append(call)
        refusal = _refusal_of(call)
        if refusal is not None:
            return await refusal(call, request)
        reply = self._replies.pop(0) if self._replies else summarized()
        response = await reply(call, request)
        if reply is silence:
            self.hung_up.set()
        response.headers["x-request-id"] = f"req_{next(self._ids):032x}"
        return response


def completion(
    content: object, *, finish_reason: str | None = "stop", refusal: str | None = None
) -> Reply:
    """Reply with a completion with one choice."""
    message = {"role": "assistant", "content": content, "refusal": refusal, "annotations": []}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason}
    return _completion([choice])


def no_choices() -> Reply:
    """Reply with a completion without choices."""
    return _completion([])


def summarized(**changes: Any) -> Reply:
    """Reply with a valid summary; `changes` replace its fields, and None removes a field."""

    async def reply(call: Call, request: Request) -> Response:
        summary = _summary(call) | changes
        kept = {name: value for name, value in summary.items() if value is not None}
        return await completion(json.dumps(kept))(call, request)

    return reply


def error(
    status: int,
    *,
    code: object = None,
    type_: str = "error",
    param: str | None = None,
    message: str = "No.",
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Reply with an error in the form of the API."""
    envelope = {"message": message, "type": type_, "param": param, "code": code}

    async def reply(call: Call, request: Request) -> Response:
        return JSONResponse({"error": envelope}, status, headers)

    return reply


def quoting_error(status: int) -> Reply:
    """Reply with an error that quotes the request and the key, as a real provider may do."""

    async def reply(call: Call, request: Request) -> Response:
        message = f"{call.headers['authorization']} may not say {json.dumps(call.body)}"
        return await error(status, message=message)(call, request)

    return reply


def page(body: str, media_type: str = "text/html", status: int = 200) -> Reply:
    """Reply with content that does not come from the API, such as a gateway's page."""

    async def reply(call: Call, request: Request) -> Response:
        return Response(body, status, media_type=media_type)

    return reply


async def silence(call: Call, request: Request) -> Response:
    """Send no response, and wait until the client disconnects."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    return Response()


async def reset(call: Call, request: Request) -> Response:
    """Reset the connection after the request was read."""
    transport = request.receive.__self__.transport  # type: ignore[attr-defined]  # uvicorn's cycle
    linger_not = struct.pack("ii", 1, 0)
    connection: socket.socket = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_not)
    transport.abort()
    return Response()


@contextmanager
def openai_server(port: int = 0) -> Iterator[OpenAIServer]:
    """Run a server on the loopback interface, and stop it afterwards."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        # asyncio sets this only on its own sockets; without it a response takes 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server = OpenAIServer(f"http://127.0.0.1:{listener.getsockname()[1]}/v1")
        app = Starlette(routes=[Route("/v1/chat/completions", server.__call__, methods=["POST"])])
        config = uvicorn.Config(
            app, lifespan="off", log_config=None, log_level="critical", timeout_graceful_shutdown=1
        )
        running = uvicorn.Server(config)
        thread = threading.Thread(target=asyncio.run, args=(running.serve([listener]),))
        thread.start()  # the socket listens already, so that the thread need not be awaited
        try:
            yield server
        finally:
            running.should_exit = True
            thread.join()


def _completion(choices: list[dict[str, Any]]) -> Reply:
    async def reply(call: Call, request: Request) -> Response:
        return JSONResponse(
            {
                "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
                "object": "chat.completion",
                "created": 1_772_355_600,
                "model": call.body["model"],
                "choices": choices,
                "usage": {
                    "prompt_tokens": 82,
                    "completion_tokens": 17,
                    "total_tokens": 99,
                    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
                    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
                },
                "service_tier": "default",
                "system_fingerprint": "fp_0",
            }
        )

    return reply


def _refusal_of(call: Call) -> Reply | None:
    """Return the error of the real API for an invalid request, or None for a valid request."""
    if call.headers.get("authorization") != f"Bearer {KEY}":
        return error(401, code="invalid_api_key", message="Incorrect API key provided.")
    wanted = call.body["response_format"]["json_schema"]
    if not wanted["strict"] or not _is_strict(wanted["schema"]):
        return error(400, message="Invalid schema for response_format.")
    return None


def _is_strict(schema: object) -> bool:
    """Return whether each object in the schema forbids other fields and requires its fields."""
    if isinstance(schema, list):
        return all(map(_is_strict, schema))
    if not isinstance(schema, dict):
        return True
    if schema.get("type") == "object" and (
        schema.get("additionalProperties") is not False
        or set(schema["required"]) != set(schema["properties"])
    ):
        return False
    return all(map(_is_strict, schema.values()))


def _summary(call: Call) -> dict[str, Any]:
    said = [json.loads(line) for line in call.lines]
    cited = Utterance(
        id=said[0]["id"] if said else "", speaker="A", start_ms=0, end_ms=0, text="", confidence=1
    )
    summary = summary_of(Transcript(utterances=(cited,))).to_stored()
    return summary if said else _emptied(summary)


def _emptied(lists: dict[str, Any]) -> dict[str, Any]:
    return {name: _emptied(each) if isinstance(each, dict) else [] for name, each in lists.items()}
