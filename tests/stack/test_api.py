"""An HTTP client calls the API of the running stack, from creating a visit to deleting it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from lumimd.adapters.local_tokens import LocalTokens
from lumimd.runtime.services import SystemClock
from tests.stack.conftest import Pipeline

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

RECORDING = Path(__file__).parents[2] / "samples" / "visit.m4a"


@pytest.fixture
async def http(pipeline: Pipeline) -> AsyncIterator[httpx.AsyncClient]:
    env = pipeline.stack.plan.function_env
    tokens = LocalTokens(env["LOCAL_TOKEN_SECRET"], env["GOOGLE_CLOUD_PROJECT"], SystemClock())
    async with httpx.AsyncClient(
        base_url=pipeline.stack.plan.url("api"),
        headers={"Authorization": f"Bearer {tokens.issue('api-user')}"},
        timeout=30,
    ) as http:
        yield http


async def test_a_client_creates_uploads_follows_exports_and_deletes_a_visit_through_the_api(
    pipeline: Pipeline, http: httpx.AsyncClient
) -> None:
    new, key = {"consent": True, "title": "Knee"}, {"Idempotency-Key": pipeline.new_visit()}
    created = await http.post("/v1/visits", json=new, headers=key)
    assert created.status_code == 201, created.text
    visit_id, upload = created.json()["visit"]["visitId"], created.json()["upload"]
    path = f"/v1/visits/{visit_id}"
    assert (await http.get(path)).status_code == 202

    announced = {"Content-Type": upload["contentType"]}
    async with httpx.AsyncClient(timeout=30) as bucket:
        sent = await bucket.put(upload["url"], content=RECORDING.read_bytes(), headers=announced)
    assert sent.status_code == 200, sent.text

    percents = [0]
    async with asyncio.timeout(60):
        while (status := (await http.get(f"{path}/status")).json())["status"] == "processing":
            percents.append(status["progressPercent"])
            await asyncio.sleep(0.2)
    assert status["status"] == "completed", status
    assert percents == sorted(percents)

    done = await http.get(path)
    assert (done.status_code, done.json()["title"]) == (200, "Knee")
    assert (await http.get(f"{path}/transcript")).json()["utterances"]
    assert (await http.get("/v1/visits?group=ready")).json()["items"][0]["visitId"] == visit_id
    assert (await http.get("/v1/me/usage")).json()["visits"] >= 1
    assert (await http.get("/v1/me/export")).content.startswith(b"PK")

    assert (await http.post(f"{path}/retry")).json()["code"] == "nothing_to_retry"
    assert (await http.post(f"{path}/regenerate")).status_code == 202
    assert (await http.delete(path)).status_code == 202
    assert (await http.get(path)).status_code == 404
    # The same idempotency key gives the same visit id, so a retry does not recreate the visit.
    again = await http.post("/v1/visits", json=new, headers=key)
    assert again.status_code == 409
    assert await pipeline.orders(visit_id) <= 1
