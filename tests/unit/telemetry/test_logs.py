"""Test that logs are JSON lines with only allowed fields and no content of a visit."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lumimd.telemetry import logs
from tests.support.services import transcript

CANARY = "xylophone-of-the-patient"
ALLOWED = sorted(logs.FIELDS - {"event", "severity", "timestamp", "droppedFields"})


class Written(io.StringIO):
    """A log stream; `lines` returns the lines since its last call."""

    def lines(self) -> list[dict[str, Any]]:
        text = self.getvalue()
        self.seek(0)
        self.truncate()
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def written() -> Iterator[Written]:
    to = Written()
    logs.configure(to)
    yield to
    logs.configure()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.text(),
    severity=st.sampled_from(["info", "warning", "error", "critical"]),
    fields=st.dictionaries(st.sampled_from(ALLOWED), st.none() | st.integers() | st.text()),
)
def test_every_log_line_is_json_with_severity_event_and_time(
    written: Written, name: str, severity: str, fields: dict[str, Any]
) -> None:
    logs.event(name, severity, **fields)
    (line,) = written.lines()
    assert (line["event"], line["severity"]) == (name, severity.upper())
    assert datetime.fromisoformat(line["timestamp"]).utcoffset() is not None
    assert {field: line[field] for field in fields} == fields


def test_a_log_field_that_is_not_allowed_is_dropped_and_counted(written: Written) -> None:
    logs.event("transcribed", visitId="visit-1", text=CANARY, url=CANARY)
    (line,) = written.lines()
    assert set(line) == {"event", "severity", "timestamp", "visitId", "droppedFields"}
    assert line["droppedFields"] == 2


def test_log_context_is_added_only_to_lines_inside_its_block(written: Written) -> None:
    with logs.about(visitId="visit-1", attempt=2, trace=None, text=CANARY):
        logs.event("inside")
    logs.event("outside")
    inside, outside = written.lines()
    assert (inside["visitId"], inside["attempt"]) == ("visit-1", 2)
    assert "trace" not in inside
    assert "visitId" not in outside
    assert CANARY not in str(inside)


def test_an_error_is_logged_with_only_its_class_and_place(written: Written) -> None:
    try:
        try:
            raise KeyError(CANARY)
        except KeyError as cause:
            raise ValueError(CANARY) from cause
    except ValueError as error:
        logs.failure("failed", error)
    (line,) = written.lines()
    assert line["errorClass"] == "ValueError"
    assert line["errorAt"].startswith("test_logs.py:")
    assert CANARY not in str(line)


def test_an_error_that_was_never_raised_is_logged_without_a_place(written: Written) -> None:
    logs.failure("failed", ValueError(CANARY))
    (line,) = written.lines()
    assert line["errorAt"] is None


@pytest.mark.parametrize("value", [ValueError(CANARY), transcript((("A", CANARY),))])
def test_an_object_in_an_allowed_field_is_logged_as_its_class_name(
    written: Written, value: object
) -> None:
    logs.event("careless", code=value)
    (line,) = written.lines()
    assert line["code"] == type(value).__name__


def test_a_log_record_of_a_library_is_logged_without_its_message(written: Written) -> None:
    logging.getLogger("some.library").warning("GET %s?q=%s", CANARY, CANARY)
    try:
        raise ValueError(CANARY)
    except ValueError:
        logging.getLogger("some.library").exception(CANARY, extra={"visitId": CANARY})
    warning, error = written.lines()
    assert (warning["event"], warning["severity"]) == ("library_logged", "WARNING")
    assert (warning["logger"], warning["module"]) == ("some.library", "test_logs")
    assert warning["line"] > 0
    assert (error["severity"], error["errorClass"]) == ("ERROR", "ValueError")
    assert CANARY not in f"{warning} {error}"


def test_an_error_handled_by_a_library_is_logged_without_its_message(written: Written) -> None:
    try:
        raise ValueError(CANARY)
    except ValueError:
        logging.getLogger().error(
            "Exception on /: %s", CANARY
        )  # functions-framework logs in this way
    (error,) = written.lines()
    assert error["errorClass"] == "ValueError"
    assert error["errorAt"].startswith("test_logs.py:")
    assert CANARY not in str(error)


def test_debug_and_info_records_of_libraries_are_not_logged(written: Written) -> None:
    logging.getLogger("some.library").info(CANARY)
    logging.getLogger("some.library").debug(CANARY)
    assert written.lines() == []
