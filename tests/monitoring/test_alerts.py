"""Each alert opens one incident on its condition, none below it, and one for many failures."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from lumimd.domain.errors import DeploymentFault
from tests.monitoring.alerting import Series, incidents, policies
from tests.monitoring.log_metric import USER_METRIC
from tests.monitoring.series import Point

ALERTS = policies()
METRICS = Path(__file__).parents[2] / "infra" / "monitoring" / "metrics"
MINUTE, HOUR = 60.0, 3600.0
DEPTH = "cloudtasks.googleapis.com/queue/depth"
DELAYS = "cloudtasks.googleapis.com/queue/task_attempt_delays"
PROBES = "monitoring.googleapis.com/uptime_check/check_passed"


def ours(name: str, points: Iterable[Point]) -> Series:
    return {f"{USER_METRIC}lumimd/{name}": list(points)}


def counted(name: str, *at: float, **labels: str) -> Series:
    """Return a metric's points for one matching log line at each of these times (seconds)."""
    return ours(name, (Point(t, 1.0, _labels(labels)) for t in at))


def measured(name: str, *values: float, at: float = 10 * MINUTE, **labels: str) -> Series:
    """Return a metric's points with these values, all at the same time."""
    return ours(name, (Point(at, value, _labels(labels)) for value in values))


def sampled(metric: str, *values: float, **labels: str) -> Series:
    """Return the points of a gauge with these values, one sample a minute."""
    return {metric: [Point(MINUTE * n, value, labels) for n, value in enumerate(values)]}


def _labels(labels: dict[str, str]) -> dict[str, str]:
    return {f"metric.label.{name}": value for name, value in labels.items()}


def every_minute(first: int, last: int) -> list[float]:
    return [MINUTE * n for n in range(first, last + 1)]


def hourly(first: int, last: int) -> list[float]:
    return [HOUR * n for n in range(first, last + 1)]


def ended(completed: int, failed: int) -> Series:
    lines = ["completed"] * completed + ["failed"] * failed
    label = "metric.label.outcome"
    return ours("visits_ended", (Point(MINUTE, 1.0, {label: status}) for status in lines))


OPENED = {"event": "breaker_opened", "dependency": "model"}


@dataclass(frozen=True)
class Case:
    alert: str
    why: str
    fires: Series
    quiet: Series


CASES = [
    Case(
        "failed-visits",
        "six in an hour; five, or six in two hours, are ordinary",
        counted("dead_letters", *every_minute(1, 6)),
        counted("dead_letters", *every_minute(1, 5), 90 * MINUTE, 100 * MINUTE),
    ),
    Case("failure-rate", "two of 30; one of 20 is not more than 5 %", ended(28, 2), ended(19, 1)),
    Case("failure-rate", "a rate needs at least 20 visits", ended(18, 2), ended(0, 3)),
    Case(
        "dead-letter",
        "one is enough",
        counted("dead_letters", MINUTE, stage="summary"),
        ours("dead_letters", ()),
    ),
    Case(
        "summaries-by-rules",
        "six in an hour; five are transcripts that a model refuses",
        counted("summaries_by_rules", *every_minute(1, 6), code="summary_invalid"),
        counted("summaries_by_rules", *every_minute(1, 5)),
    ),
    Case(
        "failed-for-an-hour",
        "a count that found one",
        counted("runs_with_dead_letters_waiting", MINUTE),
        ours("runs_with_dead_letters_waiting", ()),
    ),
    Case(
        "retried-too-often",
        "a fourth further attempt",
        counted("visits_retried_often", MINUTE),
        counted("visits_retried", *every_minute(1, 3)),
    ),
    Case(
        "slow-visits",
        "the mean counts, not one visit",
        measured("visit_duration", 500_000, 720_000),
        measured("visit_duration", 60_000, 60_000, 1_600_000),
    ),
    Case(
        "slow-stage",
        "in one stage alone; the slowest twentieth counts, not three of a hundred",
        measured("stage_delay", *[5_000.0] * 90, *[90_000.0] * 10, stage="summary"),
        measured("stage_delay", *[5_000.0] * 97, *[900_000.0] * 3, stage="summary"),
    ),
    Case(
        "overdue-visits",
        "run after run; two runs may be a visit that is almost done",
        counted("runs_with_overdue_visits", *every_minute(1, 5)),
        counted("runs_with_overdue_visits", *every_minute(1, 2)),
    ),
    Case(
        "overdue-visits",
        "a visit that is woken late",
        counted("late_scheduler_runs", MINUTE),
        ours("late_scheduler_runs", ()),
    ),
    Case(
        "queue-backlog",
        "101 for two minutes; 100 for ever, or a peak, are normal",
        sampled(DEPTH, 0, 101, 101, 0),
        sampled(DEPTH, 100, 100, 100, 5_000, 100, 100),
    ),
    Case(
        "queue-backlog",
        "tasks that start late",
        {DELAYS: [Point(MINUTE, 400_000.0)] * 5},
        {DELAYS: [Point(MINUTE, 5_000.0)] * 500},
    ),
    Case(
        "breaker-open",
        "a breaker opened; closing is no incident",
        counted("breaker_changes", MINUTE, **OPENED),
        counted("breaker_changes", MINUTE, event="breaker_closed", dependency="model"),
    ),
    Case(
        "deployment-refused",
        "one refusal of the key; an outage does not count",
        counted("deployment_faults", MINUTE, dependency="orders", reason="unpaid"),
        counted("breaker_changes", MINUTE, **OPENED),
    ),
    Case(
        "dependency-down",
        "eleven within five minutes; one a minute is ordinary",
        counted("dependency_failures", *[MINUTE] * 11),
        counted("dependency_failures", *every_minute(1, 60)),
    ),
    Case(
        "dependency-down",
        "most probes fail; one of three failing all the time is ordinary",
        {PROBES: [Point(30.0 * n, 0.0) for n in range(30)]},
        {PROBES: [Point(20.0 * n, float(n % 3 != 0)) for n in range(90)]},
    ),
    Case(
        "nothing-ran",
        "no run after an hour; one skipped run is ordinary",
        counted("scheduler_runs", *every_minute(0, 60)),
        counted("scheduler_runs", *(t for t in every_minute(0, 240) if t % (30 * MINUTE))),
    ),
    Case(
        "retention-stopped",
        "no run after an hour; one skipped run is ordinary",
        counted("retention_runs", *hourly(0, 1)),
        counted("retention_runs", *hourly(0, 1), *hourly(3, 9)),
    ),
    Case(
        "unreadable-documents",
        "one is enough",
        counted("unreadable_documents", MINUTE, collection="visits"),
        ours("unreadable_documents", ()),
    ),
    Case(
        "partial-runs",
        "six of the minute's runs; five are a short outage of the store",
        counted("partial_runs", *every_minute(1, 6), operation="wake_due_visits"),
        counted("partial_runs", *every_minute(1, 5), operation="wake_due_visits"),
    ),
    Case(
        "partial-runs",
        "the third partial run of the retention within six hours",
        counted("partial_runs", *hourly(0, 2), operation="enforce_retention"),
        counted("partial_runs", 0, 3 * HOUR, 6 * HOUR, operation="enforce_retention"),
    ),
    Case(
        "partial-runs",
        "one partial reconciliation, since it runs once a day",
        counted("partial_runs", MINUTE, operation="reconcile"),
        ours("partial_runs", ()),
    ),
    Case(
        "spend",
        "101 hours of audio within an hour; two busy hours of 96 are no more than that",
        measured("audio_ordered", *[3600.0] * 101),
        ours("audio_ordered", [Point(t, 1.6 * 3600.0) for t in every_minute(0, 120)]),
    ),
    Case(
        "spend",
        "1001 calls of the model; calls not made, and calls of the transcriber, do not count",
        counted("provider_calls", *[MINUTE] * 1001, dependency="model", outcome="failed"),
        {
            f"{USER_METRIC}lumimd/provider_calls": [
                Point(MINUTE, 1.0, _labels({"dependency": dependency, "outcome": outcome}))
                for dependency, outcome, number in (
                    ("model", "answered", 1000),
                    ("model", "not_called", 900),
                    ("transcription", "answered", 900),
                )
                for _ in range(number)
            ]
        },
    ),
    Case(
        "error-burst",
        "21 lines; 20 are no burst",
        counted("error_lines", *[MINUTE] * 21),
        counted("error_lines", *[MINUTE] * 20, *every_minute(30, 60)),
    ),
]


def _ids(case: Case) -> str:
    return f"{case.alert}: {case.why}"


@pytest.mark.parametrize("case", CASES, ids=_ids)
def test_an_alert_opens_one_incident_when_its_condition_holds(case: Case) -> None:
    assert len(incidents(policies()[case.alert], case.fires, 6 * HOUR)) == 1


@pytest.mark.parametrize("case", CASES, ids=_ids)
def test_an_alert_opens_no_incident_below_its_condition(case: Case) -> None:
    quiet = incidents(policies()[case.alert], case.quiet, 2 * HOUR)
    assert quiet == []


def test_every_alert_policy_has_a_test_case() -> None:
    assert {case.alert for case in CASES} == set(policies())


def test_the_metric_of_deployment_faults_counts_every_kind_of_deployment_fault() -> None:
    metric = json.loads((METRICS / "deployment_faults.json").read_text())
    assert all(f'"{fault}"' in metric["filter"] for fault in DeploymentFault)


def test_a_thousand_failures_open_at_most_one_incident_per_alert() -> None:
    at = [2.0 * n for n in range(1_000)]
    failed = {"outcome": "failed"}
    storm = {
        **counted("dead_letters", *at, stage="summary", code="summary_unavailable"),
        **counted("visits_ended", *at, **failed),
        **counted("error_lines", *at, event="bug"),
        **counted("dependency_failures", *at, event="try_again"),
        **counted("breaker_changes", *at[::30], **OPENED),
        **counted("scheduler_runs", *every_minute(0, 120)),
        **counted("retention_runs", *hourly(0, 2)),
    }
    opened = {name: len(incidents(policy, storm, 30 * MINUTE)) for name, policy in ALERTS.items()}
    assert {name for name, number in opened.items() if number} == {
        "failed-visits",
        "failure-rate",
        "dead-letter",
        "error-burst",
        "dependency-down",
        "breaker-open",
    }
    assert set(opened.values()) == {0, 1}


def test_an_incident_closes_when_its_condition_ends() -> None:
    (incident,) = incidents(ALERTS["dead-letter"], counted("dead_letters", MINUTE), HOUR)
    assert (incident.opened_at, incident.closed_at) == (MINUTE, 6 * MINUTE)


@pytest.mark.parametrize("last_run", [0, 7, 59])
def test_the_alert_on_missing_scheduled_runs_fires_within_five_minutes(last_run: int) -> None:
    runs = counted("scheduler_runs", *every_minute(0, last_run))
    (incident,) = incidents(ALERTS["nothing-ran"], runs, 2 * HOUR)
    assert 3 * MINUTE < incident.opened_at - last_run * MINUTE <= 5 * MINUTE
    assert incident.closed_at is None
