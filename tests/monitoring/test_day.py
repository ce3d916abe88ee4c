"""The log lines of a day feed every metric of dashboards and alerts, and have no visit text."""

import pytest

from lumimd.telemetry import logs
from tests.flow.conftest import Functions
from tests.monitoring.alerting import GOOGLES, metric_types, policies
from tests.monitoring.day import Day, live
from tests.monitoring.lines import Lines
from tests.monitoring.log_filter import entry_of
from tests.monitoring.log_metric import ours, points
from tests.monitoring.test_dashboards import metrics_read
from tests.support.services import DIALOGUE


@pytest.fixture
async def day(functions: Functions) -> Lines:
    logs.configure(to=(written := Lines()))
    await live(Day.begun(functions))
    return written


async def test_the_log_lines_of_a_day_give_points_to_every_metric_that_is_read(day: Lines) -> None:
    entries = [(float(number), entry_of(line)) for number, line in enumerate(day.all())]
    emitted = {name for name, metric in ours().items() if points(metric, entries)}
    by_alerts = {
        metric_type
        for policy in policies().values()
        for condition in policy.conditions
        for metric_type in metric_types(condition)
    }
    assert (metrics_read() | by_alerts) - set(GOOGLES) - emitted == set()
    assert set(ours()) == emitted


async def test_every_log_line_of_a_day_has_only_allowed_fields_and_no_visit_text(
    day: Lines,
) -> None:
    for line in day.all():
        assert set(line) <= logs.FIELDS
        assert "droppedFields" not in line, line
    for _, text in DIALOGUE:
        assert text not in day.getvalue()


async def test_metrics_on_a_renamed_event_get_no_points(day: Lines) -> None:
    entries = [
        (0.0, entry_of({**line, "event": line["event"].replace("stage_ended", "stage_end")}))
        for line in day.all()
    ]
    empty = {name.rpartition("/")[2] for name, m in ours().items() if not points(m, entries)}
    assert empty == {"stage_duration", "stage_delay", "audio_transcribed", "transcript_length"}


async def test_calls_to_both_providers_are_logged_under_the_providers_names(day: Lines) -> None:
    called = {(line["dependency"], line["operation"]) for line in day.of("provider_called")}
    assert {
        ("transcription", "submit"),
        ("transcription", "fetch"),
        ("model", "summarize"),
    } <= called
    outcomes = {line["outcome"] for line in day.of("provider_called")}
    assert {"answered", "failed", "not_called"} <= outcomes
