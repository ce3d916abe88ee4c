"""The code in docs/clients.md creates, uploads and listens on the local stack."""

import asyncio
import json
import os
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.local.stack import BUCKET, ROOT, WEB_ORIGINS
from infra.node import installed, node
from lumimd.adapters.local_tokens import LocalTokens
from lumimd.domain.visit import ProcessingStatus, Status
from lumimd.runtime.services import SystemClock
from tests.clients.phone_snippets import PAGE, SNIPPETS, PhoneSnippet
from tests.stack.conftest import Pipeline
from tests.support.generated_client import PACKAGE, generated
from tests.support.servers import skipped_without_emulators

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

USER = "page-reader"
PATIENCE_S = 120


@pytest.fixture(scope="module", autouse=True)
def _node() -> None:
    with skipped_without_emulators():
        installed()
        node()


def token_of(pipeline: Pipeline, user_id: str) -> str:
    """Return a token like those that scripts/sign-in prints."""
    env = pipeline.stack.plan.function_env
    return LocalTokens(env["LOCAL_TOKEN_SECRET"], env["GOOGLE_CLOUD_PROJECT"], SystemClock()).issue(
        user_id
    )


async def ran(pipeline: Pipeline, script: Path, *arguments: str) -> str:
    """Run a Node script with the ports of the stack; return its output. It must exit with 0."""
    ports = pipeline.stack.plan.ports
    process = await asyncio.create_subprocess_exec(
        *(str(node()), str(script), *arguments),
        cwd=ROOT,
        env={
            **os.environ,
            "FIRESTORE_PORT": str(ports["firestore"]),
            "STORAGE_PORT": str(ports["firebase_storage"]),
            "API_PORT": str(ports["api"]),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            printed, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, (printed.decode(), errors.decode())
    return printed.decode()


async def test_the_command_in_the_client_documentation_completes_a_visit(
    pipeline: Pipeline,
) -> None:
    (command,) = re.findall(r"^(node clients/local/.*)$", PAGE, re.MULTILINE)
    executable, script, user_id, substitution, recording = shlex.split(command)
    assert executable == "node"
    assert substitution == f"$(scripts/sign-in {user_id})"

    printed = await ran(
        pipeline, ROOT / script, user_id, token_of(pipeline, user_id), str(ROOT / recording)
    )
    visit_id = printed.split()[0]
    visit = await pipeline.ended(visit_id)
    assert (visit.status, visit.title) == (Status.COMPLETED, "Check-up")
    statuses = [line.split()[0] for line in printed.splitlines()]
    assert ProcessingStatus.COMPLETED in statuses
    assert visit.summary
    assert visit.summary in printed
    actions = (await pipeline.documents(visit_id)).actions
    assert actions
    assert all(f"- {action.text}" in printed for action in actions)


@pytest.mark.parametrize("language", SNIPPETS)
async def test_the_document_and_upload_of_a_phone_snippet_become_a_completed_visit(
    pipeline: Pipeline, language: str
) -> None:
    """The Swift and Kotlin code is not compiled; the web SDK writes and uploads in its place."""
    snippet: PhoneSnippet = SNIPPETS[language]
    visit_id = pipeline.new_visit()
    written: dict[str, Any] = {
        "document": snippet.document(visit_id, USER),
        "path": snippet.path(visit_id, USER),
        "contentType": snippet.content_type,
        "recording": str(ROOT / "samples" / "visit.m4a"),
    }
    phone = ROOT / "tests" / "clients" / "phone.js"
    await ran(pipeline, phone, token_of(pipeline, USER), json.dumps(written))
    visit = await pipeline.ended(visit_id)
    assert (visit.status, visit.user_id) == (Status.COMPLETED, USER)


@pytest.mark.parametrize("origin", ["http://localhost:5173", "http://127.0.0.1:3000"])
async def test_a_web_page_on_a_development_server_may_call_the_api_and_upload(
    pipeline: Pipeline, origin: str
) -> None:
    assert origin in WEB_ORIGINS.split(",")
    assert origin.rpartition(":")[2] in PAGE
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    async with httpx.AsyncClient(timeout=30) as http:
        for url in (
            f"{pipeline.stack.plan.url('api')}/v1/visits",
            f"{pipeline.stack.plan.url('firebase_storage')}/v0/b/{BUCKET}/o",
        ):
            answer = await http.options(url, headers=asked)
            assert answer.headers["access-control-allow-origin"] == origin, url


async def test_the_documented_generated_client_completes_action_items_and_keeps_their_text(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    blocks = dict(re.findall(r"```(bash|python)\n(.*?)```", PAGE, re.DOTALL))
    assert blocks["bash"] == f"scripts/api-client {PACKAGE}\n"
    with skipped_without_emulators():
        generated(tmp_path)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", blocks["python"]),
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(tmp_path),
            "LUMIMD_URL": pipeline.stack.plan.url("api"),
            "LUMIMD_TOKEN": token_of(pipeline, USER),
        },
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE_S):
        printed, _ = await process.communicate()
    assert process.returncode == 0
    first, *items = printed.decode().splitlines()
    visit_id, status = first.split()
    assert status == "completed"
    actions = (await pipeline.documents(visit_id)).actions
    assert items == [f"{action.text} True" for action in actions]
    assert items
