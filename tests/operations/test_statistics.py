"""Statistics, failures and costs match the raw documents that they are computed from."""

from collections import Counter
from datetime import timedelta

from lumimd.domain.codes import ErrorCode
from lumimd.domain.visit import Stage
from lumimd.operations import dead_letters
from lumimd.operations.costs import Prices, costs
from lumimd.operations.failures import failures, hashed
from lumimd.operations.operator import Operator
from lumimd.operations.statistics import statistics
from lumimd.pipeline import collect, commands, summarize
from lumimd.ports.transcriber import Transcribed
from tests.support.operators import OperatedServices, spoken

HOUR = timedelta(hours=1)


async def test_the_success_rate_counts_visits_that_ended_in_the_window(
    services: OperatedServices, olga: Operator
) -> None:
    await services.completed("too-old")
    services.clock.advance(timedelta(hours=25))
    await commands.change(services, "too-old", title="edited today")  # ended before the window
    for number in range(3):
        await services.completed(f"good-{number}")
    await services.partial("bad")
    await services.submitted("at-work")
    found = await statistics(olga)
    assert (found.completed, found.failed, found.running) == (3, 1, 1)
    assert found.success_rate == 0.75
    assert [(each.code, each.count) for each in found.top_codes] == [("summary_invalid", 1)]
    assert found.is_complete


async def test_without_visits_the_success_and_retry_rates_are_none(olga: Operator) -> None:
    found = await statistics(olga)
    assert (found.success_rate, found.retry_rate, found.stages) == (None, None, ())


async def test_the_retry_rate_is_the_share_of_visits_that_were_retried(
    services: OperatedServices, olga: Operator
) -> None:
    await services.completed("easy")
    await services.partial("hard")
    await dead_letters.retry(olga, "hard")
    await summarize.summarize(services, "hard", 2)
    found = await statistics(olga)
    assert (found.retried, found.retry_rate) == (1, 0.5)


async def test_the_durations_of_stages_are_computed_from_the_history(
    services: OperatedServices, olga: Operator
) -> None:
    for number, seconds in enumerate((10, 20, 60)):
        await services.submitted(f"v{number}")
        services.clock.advance(timedelta(seconds=seconds))
        services.transcriber.finish(f"job-{number}", Transcribed(spoken()))
        await collect.collect(services, f"v{number}", 1, f"job-{number}")
        services.clock.advance(timedelta(seconds=2))
        await summarize.summarize(services, f"v{number}", 1)
    stages = {each.stage: each for each in (await statistics(olga)).stages}
    assert stages[Stage.TRANSCRIPTION].runs == 3
    assert stages[Stage.TRANSCRIPTION].median_seconds == 20
    assert (
        stages[Stage.TRANSCRIPTION].slow_seconds == 56
    )  # the 95th percentile, interpolated between 20 and 60
    assert stages[Stage.SUMMARY].median_seconds == 2


async def test_failures_equal_the_dead_letters(services: OperatedServices, olga: Operator) -> None:
    await services.partial("v1")
    services.clock.advance(20 * HOUR)  # the next day, 05:00
    await services.partial("v2", ErrorCode.SUMMARY_REFUSED)
    await services.unreadable("v3")
    await dead_letters.discard(olga, "v3", "noise")
    found = await failures(olga)
    raw = [
        document
        for path, document in services.store.documents().items()
        if path.startswith("deadLetters/")
    ]
    assert found.total == len(raw) == 3
    assert (found.open, found.discarded) == (2, 1)
    assert found.by_stage == Counter(letter["stage"] for letter in raw)
    assert found.by_code == Counter(letter["code"] for letter in raw)
    assert found.by_class == {"permanent": 1, "retryable": 2}
    assert found.by_day == {"2026-03-01": 1, "2026-03-02": 2}
    assert found.by_hour == {"05": 2, "09": 1}
    recent = await failures(olga, since=services.clock.now() - HOUR)
    assert recent.total == 2


async def test_failures_name_users_and_visits_only_by_a_hash(
    services: OperatedServices, olga: Operator
) -> None:
    await services.partial("v1")
    await services.partial("v2")
    found = await failures(olga)
    assert [(each.who, each.count) for each in found.users] == [(hashed("user-1"), 2)]
    assert "user-1" not in str(found)
    assert "v1" not in [each.who for each in found.visits]


async def test_costs_include_the_savings_of_retries_that_keep_the_transcript(
    services: OperatedServices, olga: Operator
) -> None:
    await services.completed("easy")
    await services.partial("hard")
    await dead_letters.retry(olga, "hard")
    await summarize.summarize(services, "hard", 2)
    found = await costs(olga, HOUR, Prices(audio_hour=3600.0, summary=1.0))
    heard_s = 2 * spoken().duration_seconds  # type: ignore[operator]
    assert (found.visits, found.orders, found.summaries) == (2, 2, 2)
    assert found.audio_hours * 3600 == heard_s
    assert found.spent is not None
    assert (found.spent.transcription, found.spent.summary) == (heard_s, 2.0)
    assert found.spent_a_visit == (heard_s + 2) / 2
    assert found.saved == 2.0  # two seconds of recording that the retry did not order again
    without = await costs(olga, HOUR)
    assert (without.spent, without.saved, without.orders) == (None, None, 2)
