"""Health checks of the bucket and the providers: one small, free request each."""

import asyncio
from typing import Any

import httpx

from lumimd.policies.vendor_timeouts import PROVIDER_CHECK_S
from lumimd.ports.health_check import Check, Unhealthy


def transcriber_check(base_url: str, api_key: str) -> Check:
    """Checks that AssemblyAI lists our jobs: tests its address, its health and our key at once."""

    async def check() -> str:
        url = f"{base_url}/v2/transcript"
        await _get(url, {"authorization": api_key}, {"limit": "1"})
        return "answers"

    return check


def model_check(base_url: str | None, api_key: str) -> Check:
    """Checks that the model's provider lists its models."""

    async def check() -> str:
        url = f"{(base_url or 'https://api.openai.com/v1').rstrip('/')}/models"
        await _get(url, {"Authorization": f"Bearer {api_key}"}, {})
        return "answers"

    return check


async def rules_check() -> str:
    """The rules need no provider."""
    return "not used: the rules write the summaries"


def bucket_check(client: Any, bucket: str) -> Check:
    """Checks that the bucket of the recordings exists, with the storage client of the adapter."""

    async def check() -> str:
        found = await asyncio.to_thread(
            lambda: client.bucket(bucket).exists(timeout=PROVIDER_CHECK_S, retry=None)
        )
        if not found:
            raise Unhealthy("there is no such bucket")
        return "the bucket is there"

    return check


async def _get(url: str, headers: dict[str, str], params: dict[str, str]) -> None:
    async with httpx.AsyncClient(timeout=PROVIDER_CHECK_S) as http:
        try:
            answer = await http.get(url, headers=headers, params=params)
        except httpx.HTTPError as error:
            raise Unhealthy("does not answer") from error
    if answer.status_code in (401, 403):
        raise Unhealthy("refuses our key")
    if answer.status_code == 402:
        raise Unhealthy("the account is not paid")
    if answer.status_code >= 400:
        raise Unhealthy(f"answers {answer.status_code}")
