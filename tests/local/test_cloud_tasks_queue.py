"""The queue of the local Cloud Tasks as pure functions: no server; time is an argument."""

from datetime import UTC, datetime, timedelta

import pytest
from google.api_core import exceptions
from google.cloud import tasks_v2
from hypothesis import given
from hypothesis import strategies as st

from infra.local.cloud_tasks.queue import TOMBSTONE, Queue
from infra.local.cloud_tasks.rate import TokenBucket, burst_size
from infra.local.cloud_tasks.validation import checked_queue, checked_task
from infra.local.google_api.http_target import TIMED_OUT, Answer
from infra.local.google_api.retry import backoff, exhausted, with_default_retry

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NAME = "projects/demo/locations/here/queues/summaries"
OK, ERROR = Answer(200, 0), Answer(500, 13)
seconds = st.floats(0.01, 1000).map(lambda s: timedelta(seconds=round(s, 3)))


def a_second(n: float) -> timedelta:
    return timedelta(seconds=n)


def a_queue(retry: dict | None = None, limits: dict | None = None) -> Queue:
    message = tasks_v2.Queue(name=NAME, retry_config=retry or {}, rate_limits=limits or {})
    return Queue(checked_queue(message), NOW)


def a_task(task_id: str = "t", **fields) -> tasks_v2.Task:
    fields.setdefault("http_request", tasks_v2.HttpRequest(url="http://127.0.0.1:1/"))
    task = tasks_v2.Task(name=f"{NAME}/tasks/{task_id}", **fields)
    return checked_task(task, NAME, "unused", NOW)


# Back-off


def test_backoff_delays_equal_the_example_in_googles_documentation():
    settings = {
        "min_backoff": a_second(10),
        "max_backoff": a_second(300),
        "max_doublings": 3,
    }
    waits = [backoff(n, **settings).total_seconds() for n in range(1, 9)]
    assert waits == [10, 20, 40, 80, 160, 240, 300, 300]


@given(seconds, seconds, st.integers(0, 100), st.integers(1, 500))
def test_backoff_never_shrinks_and_stays_within_its_bounds(low, high, doublings, failures):
    low, high = min(low, high), max(low, high)
    settings = {"min_backoff": low, "max_backoff": high, "max_doublings": doublings}
    wait = backoff(failures, **settings)
    assert low <= wait <= high
    assert backoff(failures + 1, **settings) >= wait


@given(seconds, st.integers(0, 20))
def test_backoff_doubles_up_to_max_doublings_and_then_grows_linearly(low, doublings):
    settings = {"min_backoff": low, "max_backoff": timedelta.max, "max_doublings": doublings}
    waits = [backoff(n, **settings) / low for n in range(1, doublings + 4)]
    assert waits[: doublings + 1] == pytest.approx([2.0**n for n in range(doublings + 1)])
    last = 2.0**doublings
    assert waits[doublings + 1 :] == pytest.approx([2 * last, 3 * last])


@pytest.mark.parametrize(
    ("max_attempts", "max_duration_s", "attempts", "elapsed_s", "given_up"),
    [
        (3, 0, 2, 999, False),
        (3, 0, 3, 0, True),
        (3, 60, 3, 59, False),  # a task is given up only when both limits are reached
        (3, 60, 2, 60, False),
        (3, 60, 3, 60, True),
        (-1, 60, 99, 59, False),
        (-1, 60, 1, 60, True),
        (-1, 0, 10_000, 10**6, False),
    ],
)
def test_a_task_is_given_up_when_both_limits_are_reached(
    max_attempts, max_duration_s, attempts, elapsed_s, given_up
):
    config = tasks_v2.RetryConfig(
        max_attempts=max_attempts, max_retry_duration=a_second(max_duration_s)
    )
    filled = with_default_retry(config)
    assert exhausted(filled, attempts, NOW, NOW + a_second(elapsed_s)) is given_up


# Rate


@given(
    st.floats(0.1, 500),
    st.integers(1, 100),
    st.lists(st.floats(0, 2), min_size=1, max_size=200),
)
def test_a_token_bucket_never_exceeds_its_burst_and_its_rate(per_second, burst, pauses):
    bucket, now, taken = TokenBucket(per_second, burst, NOW), NOW, 0
    for pause in pauses:
        now += a_second(pause)
        taken += bucket.try_take(now)
    assert taken <= burst + (now - NOW).total_seconds() * per_second + 1e-3


@given(st.floats(0.1, 500), st.integers(1, 100))
def test_a_bucket_gives_a_token_at_the_time_that_it_predicted(per_second, burst):
    bucket = TokenBucket(per_second, burst, NOW)
    while bucket.try_take(NOW):
        pass
    promised = bucket.next_token_at()
    assert promised > NOW
    assert bucket.try_take(promised)


def test_the_default_rate_has_the_burst_of_the_real_service():
    assert burst_size(500) == 100


def test_a_queue_dispatches_its_burst_and_then_its_rate():
    queue = a_queue(limits={"max_dispatches_per_second": 2})
    for n in range(13):
        queue.create(a_task(f"t{n}"), NOW)
    assert len(queue.take_due(NOW)) == 10
    assert queue.next_wake() == NOW + a_second(0.5)
    assert len(queue.take_due(NOW + a_second(0.5))) == 1
    assert len(queue.take_due(NOW + a_second(60))) == 2


# Creation, retries and end of a task


def test_a_name_is_reserved_for_an_hour_after_the_task_is_done():
    queue = a_queue()
    queue.create(a_task(), NOW)
    with pytest.raises(exceptions.AlreadyExists):
        queue.create(a_task(), NOW)
    queue.finish(queue.take_due(NOW)[0], OK, NOW)
    with pytest.raises(exceptions.AlreadyExists, match="too recently"):
        queue.create(a_task(), NOW + TOMBSTONE - a_second(1))
    queue.create(a_task(), NOW + TOMBSTONE)


@pytest.mark.parametrize("end", ["delete", "purge"])
def test_the_name_of_a_deleted_task_is_reserved_too(end):
    queue = a_queue()
    queue.create(a_task(), NOW)
    queue.purge(NOW) if end == "purge" else queue.delete(a_task().name, NOW)
    assert queue.take_due(NOW) == []
    with pytest.raises(exceptions.AlreadyExists):
        queue.create(a_task(), NOW)


def test_tasks_are_dispatched_at_their_scheduled_times_in_order():
    queue = a_queue()
    for task_id, delay_s in (("late", 20), ("early", 10)):
        queue.create(a_task(task_id, schedule_time=NOW + a_second(delay_s)), NOW)
    assert queue.take_due(NOW + a_second(9)) == []
    assert queue.next_wake() == NOW + a_second(10)
    due = queue.take_due(NOW + a_second(20))
    assert [attempt.task.name.rpartition("/")[2] for attempt in due] == ["early", "late"]


def test_a_task_scheduled_in_the_past_is_dispatched_at_once():
    created = a_queue().create(a_task(schedule_time=NOW - a_second(5)), NOW)
    assert created.schedule_time == NOW


def test_a_failure_is_retried_after_its_backoff_and_counted_by_kind():
    queue = a_queue(retry={"min_backoff": a_second(1), "max_backoff": a_second(60)})
    queue.create(a_task(), NOW)
    now, reported = NOW, []
    for answer, wait_s in ((ERROR, 1), (Answer(404, 5), 2), (TIMED_OUT, 4)):
        (attempt,) = queue.take_due(now)
        reported.append((attempt.retry_count, attempt.execution_count, attempt.previous_response))
        assert queue.finish(attempt, answer, now) == "retry"
        assert queue.next_wake() == now + a_second(wait_s)
        now += a_second(wait_s)
    (attempt,) = queue.take_due(now)
    reported.append((attempt.retry_count, attempt.execution_count, attempt.previous_response))
    assert reported == [(0, 0, None), (1, 0, 500), (2, 1, 404), (3, 1, None)]
    assert (attempt.task.dispatch_count, attempt.task.response_count) == (4, 2)
    assert queue.finish(attempt, OK, now) == "done"
    assert queue.names() == []


def test_a_task_is_given_up_after_its_last_attempt_fails():
    queue = a_queue(retry={"max_attempts": 2, "min_backoff": a_second(1)})
    queue.create(a_task(), NOW)
    assert queue.finish(queue.take_due(NOW)[0], ERROR, NOW) == "retry"
    later = NOW + a_second(1)
    assert queue.finish(queue.take_due(later)[0], ERROR, later) == "given up"
    with pytest.raises(exceptions.NotFound):
        queue.get(a_task().name)


def test_the_retry_config_of_a_task_overrides_that_of_the_queue():
    queue = a_queue(retry={"max_attempts": 5})
    queue.create(a_task(retry_config=tasks_v2.RetryConfig(max_attempts=1)), NOW)
    assert queue.finish(queue.take_due(NOW)[0], ERROR, NOW) == "given up"


def test_tasks_in_flight_never_exceed_the_concurrency_limit():
    queue = a_queue(limits={"max_concurrent_dispatches": 2})
    for n in range(3):
        queue.create(a_task(f"t{n}"), NOW)
    first, _ = queue.take_due(NOW)
    assert queue.take_due(NOW) == []
    assert queue.next_wake() is None
    queue.finish(first, OK, NOW)
    assert len(queue.take_due(NOW)) == 1


def test_a_paused_queue_keeps_its_tasks_and_dispatches_them_after_resuming():
    queue = a_queue()
    queue.pause()
    queue.create(a_task(), NOW)
    assert (queue.take_due(NOW), queue.next_wake()) == ([], None)
    queue.resume()
    assert len(queue.take_due(NOW)) == 1


def test_run_now_dispatches_despite_a_schedule_a_pause_and_a_running_attempt():
    queue = a_queue(limits={"max_concurrent_dispatches": 1})
    queue.create(a_task(schedule_time=NOW + a_second(100)), NOW)
    queue.pause()
    first, second = (queue.run_now(a_task().name, NOW) for _ in range(2))
    assert second.task.dispatch_count == 2
    assert queue.finish(first, ERROR, NOW) == "retry"
    assert queue.finish(second, OK, NOW) == "done"
    queue.resume()
    assert queue.take_due(NOW + a_second(1000)) == []


def test_the_response_to_a_deleted_task_only_frees_its_permit():
    queue = a_queue(limits={"max_concurrent_dispatches": 1})
    queue.create(a_task("deleted"), NOW)
    (attempt,) = queue.take_due(NOW)
    queue.delete(attempt.task.name, NOW)
    queue.create(a_task("next"), NOW)
    assert queue.finish(attempt, ERROR, NOW) == "deleted meanwhile"
    assert len(queue.take_due(NOW)) == 1


@given(st.lists(st.sampled_from(["create", "take", "ok", "fail", "wait"]), max_size=60))
def test_every_task_is_scheduled_in_flight_or_gone_after_any_steps(steps):
    queue, now, created, in_flight = a_queue(retry={"max_attempts": 3}), NOW, 0, []
    ended = 0
    for step in steps:
        if step == "create":
            queue.create(a_task(f"t{created}"), now)
            created += 1
        elif step == "take":
            in_flight += queue.take_due(now)
        elif step == "wait":
            now += a_second(1)
        elif in_flight:
            ended += queue.finish(in_flight.pop(), OK if step == "ok" else ERROR, now) != "retry"
    assert len(queue.names()) == created - ended
    names = [attempt.task.name for attempt in in_flight]
    assert len(set(names)) == len(names)
    for attempt in in_flight:
        queue.finish(attempt, OK, now)
    ended += len(in_flight)
    assert len(queue.take_due(now + timedelta(hours=2))) == min(created - ended, 100)
