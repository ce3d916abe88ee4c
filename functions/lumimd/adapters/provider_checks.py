"""The health check of a vendor by one small, free request."""

from collections.abc import Mapping

import httpx

from lumimd.policies.vendor_timeouts import PROVIDER_CHECK_S
from lumimd.ports.health_check import Check, Unhealthy


def answers(
    url: str, *, headers: Mapping[str, str], params: Mapping[str, str] | None = None
) -> Check:
    """Return a check that a GET of `url` succeeds."""

    async def check() -> str:
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
        return "answers"

    return check
