"""Gives the status codes of the API that simulated callers distinguish."""

from collections.abc import Awaitable
from typing import Final

from lumimd.domain.errors import Refused
from lumimd.runtime import responses

REFUSED: Final = 409


async def reply_to_owner(work: Awaitable[object]) -> int:
    """Do the work of a request, and return the status of its response."""

    async def unless_refused() -> None:
        nonlocal refused
        try:
            await work
        except Refused:
            refused = True

    refused = False
    status = (await responses.reply_to_task(unless_refused())).status_code
    return REFUSED if refused else status
