"""While a provider always returns 500, one visit makes a bounded number of calls and then ends.

The tests use the real adapters, local servers that return 500, a manual clock and short backoffs.
"""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta

import httpx
import pytest

from lumimd.adapters.assemblyai.transcriber import AssemblyAITranscriber
from lumimd.adapters.openai.summarizer import OpenAISummarizer
from lumimd.coordination.breaker.breaker import CircuitBreaker
from lumimd.coordination.breaker.guarded import GuardedSummarizer
from lumimd.domain.errors import Held
from lumimd.domain.timing import MAX_TRIES
from lumimd.domain.visit import Stage, Status, Visit
from lumimd.pipeline import accept, collect, recover, summarize
from lumimd.policies import breaker, retry
from lumimd.policies.breaker import Breaker
from lumimd.ports.transcriber import Transcribed
from tests.support.openai_server import KEY, completion, error, openai_server
from tests.support.services import MemoryServices, transcribed, transcript
from tests.support.shared_documents import in_memory


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TRANSCRIPTION", "MODEL"):
        quick = replace(getattr(retry, name), initial_s=0.001, max_wait_s=0.01, jitter_s=0.001)
        monkeypatch.setattr(retry, name, quick)


@pytest.fixture
async def transcriber(speech_url: str) -> AsyncIterator[AssemblyAITranscriber]:
    async with httpx.AsyncClient(base_url=speech_url) as http:
        await http.post("/_local/reset")
        adapter = AssemblyAITranscriber(api_key="key", base_url=speech_url, webhook=None)
        yield adapter
        await adapter.aclose()
        await http.post("/_local/reset")


async def hours_pass(services: MemoryServices, hours: int) -> Visit:
    for _ in range(hours * 12):
        services.clock.advance(timedelta(minutes=5))
        await recover.wake_due(services)
        while not services.tasks.waiting.empty():
            task = services.tasks.waiting.get_nowait()
            await summarize.summarize(services, task.visit_id, task.attempt)
    stored = await services.store.get("visit-1")
    assert stored
    return stored.visit


async def requests_of(speech_url: str) -> Counter[str]:
    async with httpx.AsyncClient(base_url=speech_url) as http:
        return Counter((await http.get("/_local/bill")).json()["requests"])


async def script(speech_url: str, *routes: str) -> None:
    faults = [{"route": route, "status": 500, "times": 100_000} for route in routes]
    async with httpx.AsyncClient(base_url=speech_url) as http:
        await http.post("/_local/scripts", json={"match": "", "http": faults})


async def test_an_order_that_returns_500_is_retried_twice_after_lookups_for_the_job(
    transcriber: AssemblyAITranscriber, speech_url: str
) -> None:
    await script(speech_url, "submit")
    services = MemoryServices(transcriber=transcriber)  # type: ignore[arg-type]
    await accept.accept(services, services.upload())
    visit = await hours_pass(services, 24)
    assert visit.status is Status.FAILED
    assert await requests_of(speech_url) == Counter(submit=3, list=3)


async def test_a_provider_that_always_returns_500_gets_one_order_and_a_day_of_lookups(
    transcriber: AssemblyAITranscriber, speech_url: str
) -> None:
    """The provider may have a transcript, so the pipeline repeats the lookup and not the order."""
    await script(speech_url, "submit", "list", "get")
    services = MemoryServices(transcriber=transcriber)  # type: ignore[arg-type]
    await accept.accept(services, services.upload())
    visit = await hours_pass(services, 30)
    assert visit.status is Status.FAILED
    requests = await requests_of(speech_url)
    assert requests["submit"] == 1
    # Three calls per lookup, one lookup every ten minutes for a day.
    assert requests["list"] <= 3 * (6 * 24 + 6)


async def test_polls_that_always_return_500_become_rarer_and_end(
    transcriber: AssemblyAITranscriber, speech_url: str
) -> None:
    await script(speech_url, "get")
    services = MemoryServices(transcriber=transcriber)  # type: ignore[arg-type]
    await accept.accept(services, services.upload())
    visit = await hours_pass(services, 60)
    assert visit.status is Status.FAILED
    requests = await requests_of(speech_url)
    # Three calls per poll, one poll every ten minutes for two hours. Then the job is given up, and
    # polled every ten minutes for a day, because another order may be a second charge.
    assert requests["submit"] == 1
    assert requests["get"] <= 3 * 3 * 80


async def test_a_model_that_returns_500_is_called_nine_times_before_the_rule_based_summary() -> (
    None
):
    with openai_server() as server:
        server.script(*[error(500)] * 100)
        model = OpenAISummarizer(api_key=KEY, base_url=server.url, model="model")
        services = MemoryServices(summarizer=model)  # type: ignore[arg-type]
        await accept.accept(services, services.upload())
        services.transcriber.finish("job-0", Transcribed(transcript()))
        await collect.collect(services, "visit-1", 1, "job-0")
        visit = await hours_pass(services, 48)
        await model.aclose()
        assert (visit.status, visit.source) == (Status.COMPLETED, "rules")
        assert len(server.calls) == 9


async def test_after_two_bad_model_responses_the_visit_gets_the_rule_based_summary() -> None:
    with openai_server() as server:
        server.script(*[completion("", finish_reason="length")] * 100)
        model = OpenAISummarizer(api_key=KEY, base_url=server.url, model="model")
        services = MemoryServices(summarizer=model)  # type: ignore[arg-type]
        await transcribed(services)
        visit = await hours_pass(services, 48)
        await model.aclose()
        assert (visit.status, visit.source) == (Status.COMPLETED, "rules")
        assert [call.body["max_completion_tokens"] for call in server.calls] == [16_000, 32_000]
        assert visit.ledger.summaries == 2


async def test_calls_per_try_are_bounded_when_refusals_surround_a_bad_response() -> None:
    """In the worst case, two refusals precede a bad response, and three refusals follow it."""
    with openai_server() as server:
        bad, busy = completion(" "), error(503)
        server.script(*[busy, busy, bad, busy, busy, busy] * 10)
        model = OpenAISummarizer(api_key=KEY, base_url=server.url, model="model")
        services = MemoryServices(summarizer=model)  # type: ignore[arg-type]
        await transcribed(services)
        visit = await hours_pass(services, 48)
        await model.aclose()
        assert (visit.status, visit.source) == (Status.COMPLETED, "rules")
        assert len(server.calls) == MAX_TRIES * 2 * retry.MODEL.attempts
        assert visit.ledger.summaries == MAX_TRIES


async def test_an_open_breaker_probes_a_failing_model_less_and_less_often_for_a_day() -> None:
    """The only visit opens the breaker with its last try, and then makes the half-open probes."""
    with openai_server() as server:
        server.script(*[error(500)] * 1_000)
        model = OpenAISummarizer(api_key=KEY, base_url=server.url, model="model")
        services = BehindABreaker()
        services.summarizer = GuardedSummarizer(model, services.breaker)  # type: ignore[assignment]
        await accept.accept(services, services.upload())
        services.transcriber.finish("job-0", Transcribed(transcript()))
        await collect.collect(services, "visit-1", 1, "job-0")
        visit = await hours_pass(services, 1)
        assert (visit.status, visit.provisional) == (Status.PROCESSING, True)
        within_an_hour = len(server.calls)
        visit = await hours_pass(services, 47)
        await model.aclose()
        assert (visit.status, visit.source) == (Status.COMPLETED, "rules")
        # Three tries of three calls; then probes of three calls each, after one, two, four and
        # eight minutes, and later every eight minutes or after a sixteenth of the elapsed time.
        assert within_an_hour <= 3 * (3 + 3 + 60 // 8)  # 24 here
        assert len(server.calls) <= 3 * (3 + 60)  # 159 here


class BehindABreaker(MemoryServices):
    def __post_init__(self) -> None:
        super().__post_init__()
        self.breaker = CircuitBreaker(breaker.MODEL, in_memory(Breaker), self.clock, self.new_id)

    async def refusal(self, stage: Stage, unanswered_since: datetime | None = None) -> Held | None:
        return await self.breaker.refusal(unanswered_since)
