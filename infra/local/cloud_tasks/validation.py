"""Validates the arguments of CreateTask, CreateQueue and UpdateQueue, and fills in defaults.

The service documents each rule in google.cloud.tasks.v2. Every function raises
google.api_core.exceptions.InvalidArgument, or MethodNotImplemented for a feature of the service
that is missing here, because otherwise code could pass here and behave differently in the cloud.
"""

import re
from datetime import datetime, timedelta
from typing import Any

import httpx
from google.api_core import exceptions
from google.cloud import tasks_v2

from infra.local.cloud_tasks.rate import burst_size
from infra.local.google_api.retry import UNLIMITED, with_default_retry

MAX_TASK_BYTES = 100 * 1024
MAX_URL_CHARACTERS = 2083
MAX_SCHEDULE_AHEAD = timedelta(days=30)
DEFAULT_DEADLINE = timedelta(minutes=10)
MIN_DEADLINE, MAX_DEADLINE = timedelta(seconds=15), timedelta(minutes=30)

DEFAULT_DISPATCHES_PER_SECOND, MAX_DISPATCHES_PER_SECOND = 500.0, 500.0
DEFAULT_CONCURRENT_DISPATCHES, MAX_CONCURRENT_DISPATCHES = 1000, 5000

_QUEUE_NAME = re.compile(
    r"projects/[A-Za-z0-9.:-]+/locations/[a-z0-9-]+/queues/[A-Za-z0-9-]{1,100}"
)
_TASK_ID = re.compile(r"[A-Za-z0-9_-]{1,500}")
_METHODS_WITH_BODY = {"POST", "PUT", "PATCH"}


def checked_queue(queue: tasks_v2.Queue) -> tasks_v2.Queue:
    """Validate `queue` and return a copy with defaults and output-only fields filled in."""
    _require(_QUEUE_NAME.fullmatch(queue.name), f"Invalid queue name: {queue.name!r}")
    if "http_target" in queue or "app_engine_routing_override" in queue:
        raise exceptions.MethodNotImplemented("Queue-level routing is not available locally")
    complete = tasks_v2.Queue(queue)
    complete.retry_config = checked_retry(queue.retry_config)
    limits = complete.rate_limits
    limits.max_dispatches_per_second = (
        limits.max_dispatches_per_second or DEFAULT_DISPATCHES_PER_SECOND
    )
    limits.max_concurrent_dispatches = (
        limits.max_concurrent_dispatches or DEFAULT_CONCURRENT_DISPATCHES
    )
    _require(
        0 < limits.max_dispatches_per_second <= MAX_DISPATCHES_PER_SECOND,
        "RateLimits.max_dispatches_per_second must be at most 500",
    )
    _require(
        0 < limits.max_concurrent_dispatches <= MAX_CONCURRENT_DISPATCHES,
        "RateLimits.max_concurrent_dispatches must be at most 5000",
    )
    limits.max_burst_size = burst_size(limits.max_dispatches_per_second)
    return complete


def checked_retry(config: tasks_v2.RetryConfig) -> tasks_v2.RetryConfig:
    """Validate a RetryConfig and return a copy with defaults filled in."""
    complete = with_default_retry(config)
    _require(complete.max_attempts >= UNLIMITED, "RetryConfig.max_attempts must be at least -1")
    _require(complete.max_doublings >= 0, "RetryConfig.max_doublings must not be negative")
    _require(
        timedelta(0) <= complete.min_backoff <= complete.max_backoff,
        "RetryConfig.min_backoff must not exceed RetryConfig.max_backoff",
    )
    return complete


def checked_task(task: tasks_v2.Task, queue_name: str, new_id: str, now: datetime) -> tasks_v2.Task:
    """Validate `task` and return a copy with a deadline and a name (by default from `new_id`)."""
    complete = tasks_v2.Task(task)
    complete.name = complete.name or f"{queue_name}/tasks/{new_id}"
    parent, _, task_id = complete.name.rpartition("/tasks/")
    _require(parent == queue_name, "The queue of the task's name is not the queue of the request")
    _require(_TASK_ID.fullmatch(task_id), f"Invalid task id: {task_id!r}")
    if "app_engine_http_request" in task:
        raise exceptions.MethodNotImplemented("App Engine targets are not available locally")
    _require("http_request" in task, "Task.http_request is required")
    check_target(complete.http_request, complete.http_request.url)
    size = len(tasks_v2.Task.serialize(task))
    _require(size <= MAX_TASK_BYTES, f"Task size too large: {size} bytes, at most {MAX_TASK_BYTES}")
    if task.schedule_time is not None:
        ahead = task.schedule_time - now
        _require(ahead <= MAX_SCHEDULE_AHEAD, "Task.schedule_time is more than 30 days ahead")
    complete.dispatch_deadline = checked_deadline(
        "Task.dispatch_deadline", task.dispatch_deadline or DEFAULT_DEADLINE
    )
    if "retry_config" in task:
        complete.retry_config = checked_retry(task.retry_config)
    return complete


def checked_deadline(field: str, deadline: timedelta) -> timedelta:
    """Return the deadline if it is in the allowed interval for HTTP targets."""
    _require(MIN_DEADLINE <= deadline <= MAX_DEADLINE, f"{field} must be in [15s, 30m]")
    return deadline


def check_target(target: Any, url: str) -> None:
    """Refuse an HTTP target (a task's HttpRequest, a job's HttpTarget) that cannot be sent."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise exceptions.InvalidArgument(f"Invalid URL: {error}") from error
    _require(
        parsed.scheme in {"http", "https"} and parsed.host, "The URL must be http(s)://host..."
    )
    _require(len(url) <= MAX_URL_CHARACTERS, "The URL is longer than 2083 characters")
    method = target.http_method.name
    # An unspecified method means POST.
    may_have_body = method in _METHODS_WITH_BODY or target.http_method == 0
    _require(may_have_body or not target.body, f"A {method} request must not have a body")
    for name, value in target.headers.items():
        _require(name.isascii() and value.isascii(), f"The header {name!r} is not ASCII")
    if "oauth_token" in target:
        raise exceptions.MethodNotImplemented("oauth_token is not available locally")
    _require(
        "oidc_token" not in target or target.oidc_token.service_account_email,
        "OidcToken.service_account_email is required",
    )


def _require(condition: object, message: str) -> None:
    if not condition:
        raise exceptions.InvalidArgument(message)
