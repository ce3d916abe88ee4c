"""The summarizer handles a model that fails, hangs or refuses; no error quotes the visit."""

import asyncio
import dataclasses
import json
import traceback
from collections.abc import Iterator

import pytest

from lumimd.adapters.openai.summarizer import OpenAISummarizer
from lumimd.domain import errors
from lumimd.domain.clinical import VisitSummary
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Permanent, ProviderRefuses, Transient
from lumimd.domain.transcript import Transcript
from lumimd.pipeline.analysis.visit_summary import check
from lumimd.policies import retry
from lumimd.telemetry import logs
from tests.contract.conftest import QUICK
from tests.monitoring.lines import Lines
from tests.support import openai_server as api
from tests.support.openai_server import KEY, OpenAIServer
from tests.support.services import transcript

# The tests share one client and one loop, because loading certificates is slower than a test.
pytestmark = pytest.mark.asyncio(loop_scope="module")


# Transient trouble.


PASSING = [400, 408, 409, 422, 425, 429, 500, 502, 503, 529]


@pytest.mark.parametrize("status", PASSING)
async def test_transient_trouble_is_retried(
    model: OpenAISummarizer, server: OpenAIServer, status: int
) -> None:
    server.script(*[api.error(status)] * (QUICK.attempts - 1))
    check(await model.summarize(transcript()), transcript())
    assert len(server.calls) == QUICK.attempts


@pytest.mark.parametrize("status", PASSING)
async def test_lasting_trouble_raises_transient_after_the_attempts_of_the_retry_policy(
    model: OpenAISummarizer, server: OpenAIServer, status: int
) -> None:
    server.script(*[api.error(status)] * 10)
    with pytest.raises(Transient) as raised:
        await model.summarize(transcript())
    assert raised.value.code is ErrorCode.SUMMARY_UNAVAILABLE
    assert len(server.calls) == QUICK.attempts, "the SDK adds no tries of its own"


async def test_a_retry_waits_as_long_as_the_retry_after_header_asks(
    model: OpenAISummarizer, server: OpenAIServer
) -> None:
    loop = asyncio.get_running_loop()
    server.script(api.error(429, headers={"retry-after": "0.3"}))
    began = loop.time()
    await model.summarize(transcript())
    assert loop.time() - began >= 0.3
    assert len(server.calls) == 2


@pytest.mark.parametrize("status", [429, 503])
async def test_a_retry_after_longer_than_the_policy_raises_transient_without_a_retry(
    model: OpenAISummarizer, server: OpenAIServer, status: int
) -> None:
    server.script(api.error(status, headers={"retry-after": "300"}))
    with pytest.raises(Transient) as raised:
        await model.summarize(transcript())
    assert raised.value.retry_after_s == 300
    assert len(server.calls) == 1


@pytest.mark.parametrize("asked", ["soon", "-5", "²", "nan", "", "Wed, 99 Oct 2026 07:28:00 GMT"])
async def test_an_unreadable_retry_after_is_ignored(
    model: OpenAISummarizer, server: OpenAIServer, asked: str
) -> None:
    server.script(*[api.error(429, headers={"retry-after": asked})] * 3)
    with pytest.raises(Transient) as raised:
        await model.summarize(transcript())
    assert raised.value.retry_after_s is None


class Counted(OpenAISummarizer):
    """A summarizer that counts its tries, also those that reach no server."""

    asked = 0

    async def _ask(self, transcript: Transcript) -> VisitSummary:
        self.asked += 1
        return await super()._ask(transcript)


@pytest.mark.usefixtures("model")
async def test_an_unreachable_provider_is_retried() -> None:
    model = Counted(api_key=KEY, base_url="http://127.0.0.1:9", model="gpt-6-luna")
    with pytest.raises(Transient) as raised:
        await model.summarize(transcript())
    await model.aclose()
    assert model.asked == QUICK.attempts
    assert not isinstance(raised.value, errors.Unanswered), "nothing was sent"


# A call without a response may have been charged.


async def test_a_hanging_model_times_out_and_is_not_retried(
    model: OpenAISummarizer, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "MODEL", dataclasses.replace(QUICK, timeout_s=0.2))
    server.script(api.silence)
    with pytest.raises(errors.Unanswered):
        async with asyncio.timeout(3):
            await model.summarize(transcript())
    assert len(server.calls) == 1
    await asyncio.to_thread(server.hung_up.wait, 3)
    assert server.hung_up.is_set(), "the connection is given up, not left open"


@pytest.mark.parametrize("reply", [api.reset, api.error(504), api.error(524)])
async def test_a_call_whose_response_is_lost_is_not_retried(
    model: OpenAISummarizer, server: OpenAIServer, reply: api.Reply
) -> None:
    server.script(reply)
    with pytest.raises(errors.Unanswered) as raised:
        await model.summarize(transcript())
    assert raised.value.code is ErrorCode.SUMMARY_UNAVAILABLE
    assert len(server.calls) == 1


async def test_the_retry_policy_of_the_model_does_not_repeat_unanswered_calls() -> None:
    assert not retry.MODEL.repeats_unanswered


# Texts of errors.

CANARY = "xylophone-of-the-patient"


@pytest.mark.parametrize(
    "reply",
    [
        *(api.quoting_error(status) for status in (400, 401, 403, 408, 422, 429, 500, 503, 504)),
        api.completion(f"{CANARY} {{", finish_reason="stop"),
        api.completion(json.dumps([{CANARY: CANARY}])),
        api.completion(json.dumps({"summary": CANARY})[:-2], finish_reason="length"),
        api.completion(CANARY, finish_reason="length"),
        api.completion(CANARY, finish_reason="content_filter"),
        api.completion(None, refusal=f"I cannot talk about {CANARY}."),
        api.page(f"{CANARY}"),
        api.page(f'{{"{CANARY}', "application/json"),
        api.reset,
    ],
)
async def test_no_error_quotes_the_visit_or_the_key(
    model: OpenAISummarizer, server: OpenAIServer, reply: api.Reply
) -> None:
    server.script(*[reply] * QUICK.attempts)
    with pytest.raises((Transient, Permanent)) as raised:
        await model.summarize(transcript([("A", f"Do you play the {CANARY}?")]))
    shown = "".join(traceback.format_exception(raised.value)) + "".join(_reprs(raised.value))
    assert CANARY not in shown
    assert KEY not in shown


async def test_the_log_line_of_a_refused_request_has_only_its_status_and_reason(
    model: OpenAISummarizer, server: OpenAIServer
) -> None:
    server.script(api.quoting_error(401))
    logs.configure(to=(written := Lines()))
    with pytest.raises(ProviderRefuses):
        await model.summarize(transcript([("A", CANARY)]))
    (line,) = written.all()
    assert line.pop("timestamp")
    assert line == {
        "event": "model_refused_the_request",
        "code": "http_401",
        "reason": "key_refused",
        "severity": "ERROR",
    }


def _reprs(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield f"{error!r} {error}"
        error = error.__cause__
