"""Structured logs: one JSON object per line, with an allow-list of fields.

Logs contain no words of a visit: they have only the fields below, the event is a static name, and
an exception appears as its class. The messages of libraries are not logged, only their origin,
because a message may quote any text.
"""

import logging
import sys
import threading
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Final, TextIO

import structlog

from lumimd.domain.errors import Transient

FIELDS: Final = frozenset(
    {
        "visitId",
        "attempt",
        "stage",
        "trace",
        "code",
        "event",
        "severity",
        "timestamp",
        "status",
        "processingStatus",
        "provider",
        "dependency",
        "reason",
        "source",
        "count",
        "durationMs",
        "audioSeconds",
        "sizeBytes",
        "tries",
        "request",
        "retryAfterSeconds",
        "errorClass",
        "errorAt",
        "logger",
        "module",
        "line",
        "eventId",
        "function",
        "delayMs",
        "lateMs",
        "overdue",
        "operation",
        "outcome",
        "utterances",
        "characters",
        "orders",
        "paidSeconds",
        "summaries",
        "restarts",
        "retries",
        "droppedFields",
        "collection",
        "documentId",
        "unreadable",
    }
)

_SEVERITY: Final = {"warn": "WARNING", "exception": "ERROR"}


def configure(to: TextIO | None = None, level: int = logging.INFO) -> None:
    """Send our events and every library's records through one pipeline, to standard output."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _severity,
            only_allowed,
            # An object appears as its class: its text may contain words of a visit.
            structlog.processors.JSONRenderer(default=lambda value: type(value).__name__),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(to or sys.stdout),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [LibraryHandler()]
    root.setLevel(logging.WARNING)
    # A web server adds handlers that print tracebacks, before or after this call. So the factory
    # removes the errors from all records.
    logging.setLogRecordFactory(_without_error)
    logging.captureWarnings(True)  # warnings of pydantic quote the value
    threading.excepthook = _thread_failed
    sys.unraisablehook = _not_raised


def event(name: str, severity: str = "info", **fields: Any) -> None:
    """Log the event `name`. `fields` are camelCase and must be in `FIELDS`."""
    getattr(structlog.get_logger(), severity)(name, **fields)


def failure(name: str, error: BaseException, **fields: Any) -> None:
    """Log an error by its class and the place that raised it, without its message.

    A failure that is retried (`Transient`) logs at WARNING, all other failures at ERROR.
    """
    severity = "warning" if isinstance(error, Transient) else "error"
    event(name, severity, errorClass=type(error).__name__, errorAt=_place(error), **fields)


@contextmanager
def about(**fields: Any) -> Iterator[None]:
    """Add `fields` (visitId, attempt, stage, trace) to all lines logged in this context."""
    known = {key: value for key, value in fields.items() if value is not None}
    with structlog.contextvars.bound_contextvars(**known):
        yield


def only_allowed(
    _logger: Any, _method: str, line: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Drop every field that is not on the list, and count the dropped fields."""
    dropped = sorted(set(line) - FIELDS)
    for field in dropped:
        del line[field]
    if dropped:
        line["droppedFields"] = len(dropped)
    return line


def _without_error(*arguments: Any, **named: Any) -> logging.LogRecord:
    """Return a log record that names only the class and the place of its error."""
    record = logging.LogRecord(*arguments, **named)
    if record.exc_info and record.exc_info[1] is not None:
        vars(record).update(_named(record.exc_info[1]))
        record.exc_info = None
    return record


def _named(error: BaseException) -> dict[str, str | None]:
    return {"errorClass": type(error).__name__, "errorAt": _place(error)}


def _thread_failed(failed: Any) -> None:
    if failed.exc_value is not None:
        failure("thread_failed", failed.exc_value)


def _not_raised(failed: Any) -> None:
    """Log an error of a finalizer, because Python would only print the error."""
    if failed.exc_value is not None:
        failure("error_not_raised", failed.exc_value)


class LibraryHandler(logging.Handler):
    """Logs the origin of a library's record without its message, which may quote any text."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line for `record`."""
        # The framework formats the exception of a function into the message while it handles it.
        error = record.exc_info[1] if record.exc_info else sys.exception()
        named = _named(error) if error else {}
        event(
            "library_logged",
            "error" if record.levelno >= logging.ERROR else "warning",
            logger=record.name,
            module=record.module,
            line=record.lineno,
            errorClass=getattr(record, "errorClass", named.get("errorClass")),
            errorAt=getattr(record, "errorAt", named.get("errorAt")),
        )


def _severity(
    _logger: Any, method: str, line: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    line["severity"] = _SEVERITY.get(method, method.upper())
    return line


def _place(error: BaseException) -> str | None:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return None
    code = trace.tb_frame.f_code
    return f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}"
