"""The HTTP server: AssemblyAI's routes under /v2, the tests' control API under /_local."""

import asyncio
import json
import logging
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infra.local.speech import control, params, replies
from infra.local.speech.fetch import AudioFetcher, Uploads
from infra.local.speech.jobs import Job, JobBook, UnknownJob
from infra.local.speech.params import BadRequest
from infra.local.speech.queue import JobQueue
from infra.local.speech.recognition import Recognizer
from infra.local.speech.scripts import HttpFault, Scripts
from infra.local.speech.scripts import Route as RouteName
from infra.local.speech.webhooks import Webhooks

log = logging.getLogger(__name__)

# Requests to the loopback interface bypass the proxies that the environment sets.
DIRECT = {"all://127.0.0.1": None, "all://localhost": None}

RecognizerFactory = Callable[[AudioFetcher, Scripts], Recognizer]


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the server.

    `concurrency` is the number of jobs at a time. With `scripted` the scripts may set the
    recognized speech.
    """

    concurrency: int
    scripted: bool
    webhooks: bool = True
    webhook_retry_s: float = 10.0


class SpeechServer:
    """The state of the server, and its routes."""

    def __init__(self, queue: JobQueue, book: JobBook, scripts: Scripts, uploads: Uploads) -> None:
        self.queue = queue
        self.book = book
        self.scripts = scripts
        self.uploads = uploads
        self.requests: Counter[str] = Counter()

    async def reset(self) -> None:
        """Delete jobs, scripts and counts, and cancel running jobs."""
        await self.queue.stop()
        self.book.clear()
        self.scripts.clear()
        self.requests.clear()

    async def submit(self, request: Request) -> Response:
        try:
            body = params.submission(json.loads(await request.body()))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise BadRequest(params.SCHEMA_ERROR) from error
        job = Job(body)
        urls = _urls(job)

        def work() -> Response:
            self.book.add(job)
            self.scripts.assign(job.id, urls)
            self.queue.submit(job)
            log.info("job id=%s status=%s", job.id, job.status)
            if body.get("redact_pii"):
                log.warning("job id=%s redact_pii has no effect in this server", job.id)
            return JSONResponse(replies.transcript(job))

        return await self._answer("submit", urls, work)

    async def get(self, request: Request) -> Response:
        job = self.book.get(request.path_params["transcript_id"])
        return await self._answer("get", _urls(job), lambda: JSONResponse(replies.transcript(job)))

    async def delete(self, request: Request) -> Response:
        job = self.book.get(request.path_params["transcript_id"])

        def work() -> Response:
            if not job.is_over:
                raise BadRequest("A transcript can be deleted once it is completed or failed.")
            job.deleted = True
            return JSONResponse(replies.transcript(job))

        return await self._answer("delete", _urls(job), work)

    async def list(self, request: Request) -> Response:
        query = params.list_query(request.query_params)

        def work() -> Response:
            page = self.book.page(query)
            base_url = str(request.base_url).rstrip("/")
            return JSONResponse(replies.transcript_list(page, query, base_url))

        return await self._answer("list", None, work)

    async def upload(self, request: Request) -> Response:
        path = await self.uploads.store(request.stream())
        url = str(request.base_url).rstrip("/") + path
        return await self._answer("upload", None, lambda: JSONResponse({"upload_url": url}))

    async def _answer(
        self, route: RouteName, urls: tuple[str, ...] | None, work: Callable[[], Response]
    ) -> Response:
        """Do the work and return its response, unless a script sets a fault for this request."""
        fault = self.scripts.take_fault(route, urls)
        if fault is None:
            return work()
        if fault.after_work:
            work()
        await asyncio.sleep(fault.delay_s)
        return _fault_reply(fault)


def create_app(options: Options, recognizer: RecognizerFactory) -> Starlette:
    """Create the ASGI app. Objects that need an event loop are created when the app starts."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        with tempfile.TemporaryDirectory(prefix="lumimd-speech-") as folder:
            async with httpx.AsyncClient(timeout=60, mounts=DIRECT) as client:
                scripts = Scripts()
                uploads = Uploads(Path(folder))
                webhooks = Webhooks(
                    client, retry_s=options.webhook_retry_s, enabled=options.webhooks
                )
                queue = JobQueue(
                    recognizer(AudioFetcher(client, uploads), scripts),
                    webhooks,
                    scripts,
                    concurrency=options.concurrency,
                )
                app.state.server = SpeechServer(queue, JobBook(), scripts, uploads)
                yield
                await queue.stop()

    def v2(name: str) -> Callable[[Request], object]:
        async def endpoint(request: Request) -> Response:
            if not request.headers.get("authorization", "").strip():
                return _error(401, "Authentication error, API token missing/invalid")
            server = request.app.state.server
            server.requests[name] += 1
            response: Response = await getattr(server, name)(request)
            return response

        return endpoint

    return Starlette(
        lifespan=lifespan,
        routes=[
            Route("/v2/transcript", v2("submit"), methods=["POST"]),
            Route("/v2/transcript", v2("list"), methods=["GET"]),
            Route("/v2/transcript/{transcript_id}", v2("get"), methods=["GET"]),
            Route("/v2/transcript/{transcript_id}", v2("delete"), methods=["DELETE"]),
            Route("/v2/upload", v2("upload"), methods=["POST"]),
            *control.routes(scripted=options.scripted),
        ],
        exception_handlers={
            BadRequest: lambda _, error: _error(400, str(error)),
            # The real service responds 400, and not 404, to an unknown id.
            UnknownJob: lambda *_: _error(400, "Transcript lookup error, transcript id not found"),
            404: lambda *_: _error(404, "Not found"),
        },
    )


def _urls(job: Job) -> tuple[str, ...]:
    return tuple(url for url in (job.audio_url, job.webhook_url) if url is not None)


def _error(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": message}, status_code=status)


def _fault_reply(fault: HttpFault) -> JSONResponse:
    reply = _error(fault.status, "Too Many Requests" if fault.status == 429 else "Scripted fault")
    if fault.retry_after_s is not None:
        reply.headers["Retry-After"] = str(fault.retry_after_s)
    return reply
