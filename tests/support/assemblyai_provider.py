"""A stub of AssemblyAI behind the real SDK's client; a test decides each response."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from lumimd.adapters.assemblyai.options import Options
from lumimd.adapters.assemblyai.transcriber import AssemblyAITranscriber

SAID = "Good morning. I have had a cough for two weeks."
WORDS = [
    {"text": word, "start": 400 * n, "end": 400 * n + 300, "confidence": 0.9, "speaker": "A"}
    for n, word in enumerate(
        ["Good", "morning.", "I", "have", "had", "a", "cough", "for", "two", "weeks."]
    )
]
DONE: dict[str, Any] = {
    "status": "completed",
    "text": SAID,
    "language_code": "en",
    "confidence": 0.9,
    "audio_duration": 5,
    "words": WORDS,
    "utterances": [
        {
            "text": SAID,
            "start": 0,
            "end": 4_000,
            "confidence": 0.9,
            "speaker": "A",
            "words": WORDS,
        }
    ],
}
RUNNING: dict[str, Any] = {"status": "processing"}

Answer = Callable[[], httpx.Response]


def refusing(status: int, sentence: str = "", **headers: str) -> Answer:
    return lambda: httpx.Response(status, json={"error": sentence}, headers=headers)


def saying(content: bytes | str) -> Answer:
    return lambda: httpx.Response(200, content=content)


@dataclass
class Provider:
    """A stub provider; `trouble` replaces its response to `order`, `job` or `list`.

    Each new job has the fields of `state`, which appear in the responses about the job.
    """

    state: dict[str, Any] = field(default_factory=lambda: dict(DONE))
    trouble: dict[str, Answer] = field(default_factory=dict)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    page: Callable[[list[Any]], Any] = lambda jobs: {"transcripts": jobs, "page_details": {}}

    def transcriber(self, options: Options | None = None) -> AssemblyAITranscriber:
        adapter = AssemblyAITranscriber(
            api_key="key", base_url="http://provider.invalid", webhook=None, options=options
        )
        http = adapter._client.http_client
        http._transport, http._mounts = httpx.MockTransport(self.answer), {}
        return adapter

    def answer(self, request: httpx.Request) -> httpx.Response:
        kind, _, job_id = self._called(request)
        self.asked[kind] += 1
        if kind in self.trouble:
            return self.trouble[kind]()
        if kind == "order":
            self.bodies.append(json.loads(request.content))
            job_id = f"job-{len(self.jobs)}"
            self.jobs[job_id] = {"audio_url": self.bodies[-1]["audio_url"], **self.state}
        if kind == "list":
            newest = reversed(self.jobs.items())
            return self._said(self.page([{"id": each, **job} for each, job in newest]))
        if job_id not in self.jobs:
            said = {"error": "Transcript lookup error, transcript id not found"}
            return httpx.Response(400, json=said)
        return self._said({"id": job_id, **self.jobs[job_id]})

    def _called(self, request: httpx.Request) -> tuple[str, str, str]:
        name = request.url.path.removeprefix("/v2/transcript").strip("/")
        if request.method == "POST":
            return "order", "", ""
        return ("job", "", name) if name else ("list", "", "")

    def _said(self, body: Any) -> httpx.Response:
        return httpx.Response(200, content=json.dumps(body))
