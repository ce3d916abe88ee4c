"""Calls a submission's webhook at the end of its job.

The rules are AssemblyAI's (docs, "Webhooks for pre-recorded audio"): a 2xx within 10 seconds is
success, any 4xx ends the delivery, and after any other result the server retries, with at most 10
attempts in total.
"""

import asyncio
import logging

import httpx

from infra.local.speech.jobs import Delivery, Job

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 10
ANSWER_WITHIN_S = 10.0


class Webhooks:
    """Delivers webhooks. `retry_s` is the pause between attempts, in seconds."""

    def __init__(self, client: httpx.AsyncClient, *, retry_s: float, enabled: bool = True) -> None:
        self._client = client
        self._retry_s = retry_s
        self._enabled = enabled

    async def notify(self, job: Job, *, copies: int = 1) -> None:
        """Deliver `copies` equal webhooks at the same time, as at-least-once delivery may do."""
        if not self._enabled or job.webhook_url is None:
            return
        url = job.webhook_url
        await asyncio.gather(*(self._deliver(job, url, copy) for copy in range(1, copies + 1)))

    async def _deliver(self, job: Job, url: str, copy: int) -> None:
        for attempt in range(1, MAX_ATTEMPTS + 1):
            if attempt > 1:
                await asyncio.sleep(self._retry_s)
            status = await self._post(job, url)
            job.deliveries.append(Delivery(copy, attempt, status))
            log.info("webhook id=%s attempt=%d answer=%s", job.id, attempt, status)
            if status is not None and (200 <= status < 300 or 400 <= status < 500):
                return

    async def _post(self, job: Job, url: str) -> int | None:
        """Send the webhook; return the response's status, or None if no response came in time."""
        headers = {}
        if name := job.params.get("webhook_auth_header_name"):
            headers[str(name)] = str(job.params.get("webhook_auth_header_value", ""))
        try:
            # httpx limits each phase of a request, but the service limits the whole request.
            async with asyncio.timeout(ANSWER_WITHIN_S):
                response = await self._client.post(
                    url,
                    json={"transcript_id": job.id, "status": job.status},
                    headers=headers,
                )
        except (httpx.HTTPError, TimeoutError):
            return None
        return response.status_code
