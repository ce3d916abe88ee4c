"""The entry points, one per trigger: each parses its input, calls the pipeline and replies."""

import json
from typing import Any

from cloudevents.http import CloudEvent
from functions_framework import aio
from starlette.requests import Request
from starlette.responses import Response

from lumimd.adapters.google.storage_object import upload_of
from lumimd.pipeline import accept, collect, recover, summarize
from lumimd.pipeline.rounds import each_for_itself
from lumimd.pipeline.services import Services
from lumimd.pipeline.visit_counts import count_visits
from lumimd.runtime.requests import check_webhook_caller, hint_of, summary_task_of, whole_header
from lumimd.runtime.responses import acknowledge_event, reply_to_task, reply_to_webhook
from lumimd.runtime.services import services
from lumimd.runtime.settings import deployment, require
from lumimd.telemetry import logs

logs.configure()
require()


@aio.cloud_event
async def on_audio_finalized(event: CloudEvent) -> None:
    """Accept a recording that has arrived in the bucket: save its arrival and submit it."""
    upload = upload_of(event.get_data(), event.get("time"))
    if upload is None:
        logs.event("object_ignored", eventId=str(event["id"]))
        return
    with logs.about(visitId=upload.visit_id, stage="submission", eventId=str(event["id"])):
        await acknowledge_event(accept.accept(services(), upload))


@aio.http
async def on_transcription_webhook(request: Request) -> Response:
    """Collect the outcome of a transcription job whose end the provider reports."""
    return await reply_to_webhook(_collect(request))


@aio.http
async def wake_due_visits(request: Request) -> Response:
    """Run every minute: do the next step of every due visit."""
    with logs.about(stage="recovery"):
        return await reply_to_task(_minute(services()))


@aio.http
async def enforce_retention(request: Request) -> Response:
    """Run every hour: delete the data whose retention period is over."""
    from lumimd.pipeline import retain

    with logs.about(stage="retention"):
        return await reply_to_task(retain.hourly(services()))


@aio.http
async def summarize_visit(request: Request) -> Response:
    """Summarize a transcribed visit, as a task requests."""
    task = summary_task_of(_json(await request.body()))
    if task is None:
        logs.event("task_ignored", "error")
        return Response(status_code=200)
    with logs.about(visitId=task.visit_id, attempt=task.attempt, stage="summary"):
        return await reply_to_task(summarize.summarize(services(), task.visit_id, task.attempt))


@aio.http
async def api(request: Request) -> Any:
    """Serve the REST API for owners and operators, an ASGI app."""
    from lumimd.runtime.api import app  # only this function loads FastAPI

    return app()


async def _minute(these: Services) -> None:
    await each_for_itself(
        "the minute",
        lambda: recover.wake_due(these),
        lambda: count_visits(these.visit_counts, these.clock.now()),
    )


async def _collect(request: Request) -> None:
    settings, provider = deployment().settings, deployment().transcription
    check_webhook_caller(
        request.headers.get(provider.webhook_header),
        whole_header(request.headers.getlist("x-forwarded-for")),
        accepted_secrets=settings.webhook_secrets,
        allowed_ips=settings.webhook_allowed_ips,
    )
    hint = hint_of(request.query_params, provider.ended_job(_json(await request.body())))
    if hint is None:
        logs.event("webhook_ignored", "warning")
        return
    with logs.about(visitId=hint.visit, attempt=hint.attempt, stage="transcription"):
        await collect.collect_in_time(services(), hint.visit, hint.attempt, hint.transcript_id)


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):  # invalid JSON, or JSON that is nested too deep
        return None
