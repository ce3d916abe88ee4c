"""The failures in a run's logs are listed, the worst first, with counts and no text of a visit."""

import json
from pathlib import Path

import pytest

from infra.local.symptoms import MOST, symptoms

CANARY = "a word of the visit"


def logged(event: str, severity: str, **fields: object) -> str:
    return json.dumps({"event": event, "severity": severity, **fields})


def symptoms_of(run_dir: Path, **logs: list[str]) -> list[str]:
    """Return the listed failures (symptoms) of a run whose processes have logged these lines."""
    for part, lines in logs.items():
        (run_dir / f"{part}.log").write_text("\n".join(lines))
    return symptoms(run_dir)


def test_failures_are_listed_by_process_event_and_code_location_with_their_count(
    tmp_path: Path,
) -> None:
    bug = logged("bug", "ERROR", stage="summary", errorClass="KeyError", errorAt="main.py:30")
    assert symptoms_of(tmp_path, summarize_visit=[bug] * 3) == [
        "summarize_visit logged bug (summary, KeyError, main.py:30), 3 times"
    ]


def test_a_deployment_fault_is_listed_with_its_reason(tmp_path: Path) -> None:
    refused = logged("provider_refuses", "ERROR", dependency="transcription", reason="key_refused")
    (symptom,) = symptoms_of(tmp_path, functions=[refused])
    assert "transcription, key_refused" in symptom


@pytest.mark.parametrize(
    ("part", "line", "symptom"),
    [
        ("eventarc", "event 1f2: 500, will be delivered again", "The upload event got 500"),
        ("eventarc", "event 1f2: ReadTimeout, will be delivered again", "event got ReadTimeout"),
        ("tasks", "12:00 tasks task a-1 attempt 3: 503, tried again", "A task got 503"),
        ("tasks", "task a-1 attempt 3: unavailable, tried again", "A task got unavailable"),
        ("scheduler", "12:00 job wake-due-visits: 500", "The job wake-due-visits got 500"),
        ("speech", "12:00 speech webhook id=j attempt=1 answer=None", "The webhook got None"),
        ("api", "ImportError: cannot import name", "api raised ImportError"),
        ("api", "lumimd.domain.errors.SettingsError: mend", "api raised SettingsError"),
    ],
)
def test_an_unsuccessful_call_is_listed_by_its_caller(
    tmp_path: Path, part: str, line: str, symptom: str
) -> None:
    assert symptom in symptoms_of(tmp_path, **{part: [line, line]})[0]
    assert symptoms_of(tmp_path, **{part: [line, line]})[0].endswith(", twice")


@pytest.mark.parametrize(
    "line",
    [
        logged("transcript_stored", "INFO"),
        "event 1f2: 200",
        "task a-1 attempt 1: 200, done",
        "job wake-due-visits: 200",
        "job wake-due-visits created",
        "webhook id=j attempt=1 answer=200",
        "listening on 127.0.0.1:8123, 1 queues",
        "{ no JSON",
        "",
    ],
)
def test_a_log_line_of_a_success_is_not_listed(tmp_path: Path, line: str) -> None:
    assert symptoms_of(tmp_path, part=[line]) == []


def test_errors_are_listed_before_warnings_up_to_a_limit(tmp_path: Path) -> None:
    warnings = [logged(f"warning_{number}", "WARNING") for number in range(2 * MOST)]
    lines = symptoms_of(tmp_path, functions=[*warnings, *warnings, logged("bug", "ERROR")])
    assert len(lines) == MOST
    assert lines[0] == "functions logged bug, once"


def test_the_list_of_failures_never_quotes_log_messages(tmp_path: Path) -> None:
    lines = [
        f"ValueError: {CANARY}",
        logged("bug", "ERROR", summary=CANARY, text=CANARY),
        CANARY,
    ]
    assert CANARY not in " ".join(symptoms_of(tmp_path, functions=lines))
