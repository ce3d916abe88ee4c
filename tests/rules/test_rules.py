"""Runs the JavaScript tests of the security rules, which use the real client."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.local.stack import PROJECT, ROOT
from tests.rules.conftest import Firebase
from tests.support.node_tests import Outcome, outcomes_of

pytestmark = pytest.mark.emulator

HERE = Path(__file__).parent
RULES = ROOT / "firestore.rules"


@pytest.fixture(scope="module")
def outcomes(firebase: Firebase, tmp_path_factory: pytest.TempPathFactory) -> list[Outcome]:
    """Run all JavaScript tests; return the outcome of each test."""
    files = sorted(HERE.glob("*.test.js"))
    return outcomes_of(files, firebase.env, tmp_path_factory.mktemp("node"))


def test_every_javascript_test_of_the_rules_passes(outcomes: list[Outcome]) -> None:
    failures = [f"{each.suite}: {each.name}: {each.failure}" for each in outcomes if each.failure]
    assert not failures, "\n".join(failures)
    assert "no suite" in {each.suite for each in outcomes}


def test_at_least_forty_hostile_attempts_are_refused(
    outcomes: list[Outcome], capsys: pytest.CaptureFixture[str]
) -> None:
    refused = [each for each in outcomes if each.suite.startswith("hostile") and not each.failure]
    with capsys.disabled():
        print(f" {len(refused)} hostile attempts refused", end="")
    assert len(refused) >= 40


@pytest.mark.usefixtures("outcomes")
def test_every_condition_of_the_rules_was_evaluated_to_true_and_to_false(
    firebase: Firebase,
) -> None:
    url = f"{firebase.url('firestore')}/emulator/v1/projects/{PROJECT}:ruleCoverage"
    report = httpx.get(url, timeout=30).raise_for_status().json()
    expressions = _expressions(report["report"])
    assert len(expressions) > 100
    rules = RULES.read_text()
    unseen = [
        f"line {rules.count(chr(10), 0, start) + 1}: {rules[start : end + 1]}: {seen or 'never'}"
        for (start, end), seen in sorted(expressions.items())
        # Only conditions count: an expression with string or map values is data.
        if not seen or seen in ({"true"}, {"false"}, {"true", "error"}, {"false", "error"})
    ]
    assert not unseen, "\n".join(unseen)


def _expressions(report: list[dict[str, Any]]) -> dict[tuple[int, int], set[str]]:
    """Return the kinds of values that each expression had, by its (start, end) in the file."""
    found: dict[tuple[int, int], set[str]] = {}
    while report:
        at = report[0]["sourcePosition"]
        seen = found.setdefault((at.get("currentOffset", 0), at["endOffset"]), set())
        seen |= {_kind(each["value"]) for each in report[0].get("values", ())}
        report = [*report[1:], *report[0].get("children", ())]
    return found


def _kind(value: dict[str, Any]) -> str:
    if "boolValue" in value:
        return "true" if value["boolValue"] else "false"
    return "error" if "undefined" in value else "data"
