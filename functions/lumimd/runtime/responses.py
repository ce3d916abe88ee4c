"""Responses to the platform, with the one table that maps errors to responses.

| raised      | task, scheduler | webhook | storage event |
|-------------|-----------------|---------|---------------|
| nothing     | 200             | 200     | acknowledged  |
| `Transient` | 503             | 503     | delivered again |
| `Permanent` | 200             | 200     | acknowledged  |
| `Rejected`  | 403             | 401     | -             |
| a bug       | 500             | 500     | delivered again |

Apart from the 401, a webhook gets no 4xx, because a 4xx ends the provider's retries.
"""

from collections.abc import Awaitable

from starlette.exceptions import HTTPException
from starlette.responses import Response

from lumimd.domain.errors import Permanent, Rejected, Transient
from lumimd.telemetry import logs


async def reply_to_task(work: Awaitable[object]) -> Response:
    """Return the response to Cloud Tasks or Cloud Scheduler."""
    return Response(status_code=await _status_of(work, rejected=403))


async def reply_to_webhook(work: Awaitable[object]) -> Response:
    """Return the response to the provider's webhook."""
    return Response(status_code=await _status_of(work, rejected=401))


async def acknowledge_event(work: Awaitable[object]) -> None:
    """Return when the event is processed.

    Raises:
        HTTPException: the event was not processed; Eventarc delivers it again. The framework prints
            other exceptions with a traceback, but not this one.
    """
    status = await _status_of(work, rejected=403)
    if status >= 500:
        raise HTTPException(status)


async def _status_of(work: Awaitable[object], *, rejected: int) -> int:
    try:
        await work
    except Transient as error:
        logs.failure("try_again", error, code=error.code)
        return 503
    except Permanent as error:
        logs.failure("gave_up", error, code=error.code)
    except Rejected:
        logs.event("caller_rejected", "warning")
        return rejected
    except Exception as bug:  # the outermost frame: the response is 500, never a success
        logs.failure("bug", bug)
        return 500
    return 200
