"""The control API, outside AssemblyAI's paths: scripts, reset, jobs and the bill.

The bill shows whether a transcription is charged twice. The rules are from AssemblyAI's
documentation: a job that ends in "error" is free, also if it misses its speech_threshold; without
that threshold, silence is charged like speech.
"""

import dataclasses
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infra.local.speech.jobs import Job, UnknownJob
from infra.local.speech.replies import utterance_reply
from infra.local.speech.scripts import Script


def routes(*, scripted: bool) -> list[Route]:
    """Return the routes. Without `scripted`, scripts may cause faults but not set the speech."""

    async def add_script(request: Request) -> Response:
        try:
            script = Script.model_validate_json(await request.body())
        except ValidationError as error:
            # The input itself is left out, because a scripted utterance is text of a visit too.
            details = error.errors(include_input=False, include_url=False, include_context=False)
            return JSONResponse({"error": details}, status_code=422)
        if script.decides_speech and not scripted:
            message = "A script can set the speech only when the server runs with --scripted."
            return JSONResponse({"error": message}, status_code=409)
        request.app.state.server.scripts.add(script)
        return JSONResponse({"ok": True})

    async def heard(request: Request) -> Response:
        """Return a job's utterances, also if the transcript was deleted, for the chaos verdict."""
        if not scripted:
            message = "Utterances are available only when the server runs with --scripted."
            return JSONResponse({"error": message}, status_code=409)
        try:
            job = request.app.state.server.book.get(request.path_params["job_id"])
        except UnknownJob:
            return JSONResponse({"error": "There is no such job."}, status_code=404)
        utterances = job.recognition.utterances if job.recognition else None
        return JSONResponse({"utterances": [utterance_reply(each) for each in utterances or ()]})

    return [
        Route("/_local/scripts", add_script, methods=["POST"]),
        Route("/_local/reset", _reset, methods=["POST"]),
        Route("/_local/jobs", _jobs, methods=["GET"]),
        Route("/_local/jobs/{job_id}/heard", heard, methods=["GET"]),
        Route("/_local/bill", _bill, methods=["GET"]),
        Route("/_local/health", _health, methods=["GET"]),
        Route("/_local/work", _work, methods=["GET"]),
    ]


async def _reset(request: Request) -> Response:
    await request.app.state.server.reset()
    return JSONResponse({"ok": True})


async def _jobs(request: Request) -> Response:
    """Return all jobs, oldest first, with the attempts of their webhooks but without texts."""
    return JSONResponse({"jobs": [_job(job) for job in request.app.state.server.book.all()]})


async def _bill(request: Request) -> Response:
    server = request.app.state.server
    return JSONResponse(bill(server.book.all(), server.requests))


async def _health(_: Request) -> Response:
    return JSONResponse({"ok": True})


async def _work(request: Request) -> Response:
    """Return the number of jobs in recognition, and the CPU seconds used by this process."""
    jobs = request.app.state.server.book.all()
    under_way = sum(job.status == "processing" for job in jobs)
    return JSONResponse({"jobs": under_way, "cpuSeconds": time.process_time()})


def _job(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "status": job.status,
        "error": job.error,
        "deleted": job.deleted,
        "audio_url": job.audio_url,
        "webhook_url": job.webhook_url,
        "created": job.created_at.isoformat(),
        "deliveries": [dataclasses.asdict(delivery) for delivery in job.deliveries],
    }


def charged_seconds(job: Job) -> int:
    """Return the charged seconds of audio; 0 while a job runs, and if the job failed."""
    if job.status != "completed" or job.recognition is None:
        return 0
    return job.recognition.seconds


def bill(jobs: Sequence[Job], requests: Counter[str]) -> dict[str, Any]:
    """Build the response to GET /_local/bill. `requests` counts calls by route name."""
    lines = [
        {
            "id": job.id,
            "audio_url": job.audio_url,
            "webhook_url": job.webhook_url,
            "seconds": job.recognition.seconds if job.recognition else None,
            "status": job.status,
            "charged": charged_seconds(job) > 0,
        }
        for job in jobs
    ]
    return {
        "submissions": len(lines),
        "jobs": lines,
        "chargedSeconds": sum(charged_seconds(job) for job in jobs),
        "requests": dict(requests),
    }
