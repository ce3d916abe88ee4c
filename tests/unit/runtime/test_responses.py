"""Test the response to a task, a webhook and an event for each raised error."""

import asyncio

import pytest
from starlette.exceptions import HTTPException

from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Permanent, Rejected, TimedOut, Transient
from lumimd.runtime.responses import acknowledge_event, reply_to_task, reply_to_webhook
from lumimd.telemetry import logs
from tests.monitoring.lines import Lines

CODE = ErrorCode.SUMMARY_UNAVAILABLE
CANARY = "xylophone-of-the-patient"

# Each raised error has a status for tasks, a status for the webhook, and whether the event
# is delivered again.
TABLE: dict[str, tuple[Exception | None, int, int, bool]] = {
    "nothing": (None, 200, 200, False),
    "transient": (Transient(CODE, retry_after_s=9), 503, 503, True),
    "timed out": (TimedOut(CODE), 503, 503, True),
    "permanent": (Permanent(CODE), 200, 200, False),
    "rejected": (Rejected(), 403, 401, False),
    "a bug": (ZeroDivisionError(CANARY), 500, 500, True),
    "several bugs": (ExceptionGroup(CANARY, [KeyError(CANARY)]), 500, 500, True),
}


async def working(raises: BaseException | None) -> str:
    await asyncio.sleep(0)
    if raises is not None:
        raise raises
    return "done"


@pytest.mark.parametrize("raised", TABLE)
async def test_each_error_has_the_responses_in_the_table(raised: str) -> None:
    error, to_task, to_webhook, again = TABLE[raised]
    assert (await reply_to_task(working(error))).status_code == to_task
    assert (await reply_to_webhook(working(error))).status_code == to_webhook
    if not again:
        await acknowledge_event(working(error))
        return
    with pytest.raises(HTTPException) as reply:
        await acknowledge_event(working(error))
    assert reply.value.status_code == to_task


@pytest.mark.parametrize("raised", TABLE)
async def test_a_webhook_response_is_never_4xx_except_401(raised: str) -> None:
    status = (await reply_to_webhook(working(TABLE[raised][0]))).status_code
    assert status == 401 or not 400 <= status < 500


@pytest.mark.parametrize("raised", TABLE)
async def test_responses_and_logs_never_contain_the_text_of_an_error(raised: str) -> None:
    logs.configure(to=(written := Lines()))
    reply = await reply_to_task(working(TABLE[raised][0]))
    assert reply.body == b""
    assert bool(written.all()) is (raised != "nothing")
    assert CANARY not in written.getvalue()


async def test_the_response_to_cancelled_work_raises_cancelled_error() -> None:
    with pytest.raises(asyncio.CancelledError):
        await reply_to_task(working(asyncio.CancelledError()))
