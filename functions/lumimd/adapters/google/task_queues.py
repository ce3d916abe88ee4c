"""An operator's control of the task queues on Cloud Tasks."""

from collections.abc import Awaitable, Sequence
from typing import Any, Final, TypeVar

from google.api_core import exceptions as api
from google.cloud import tasks_v2

from lumimd.domain.codes import ErrorCode, OperatorCode
from lumimd.domain.errors import OperatorRefused, Transient
from lumimd.policies.vendor_timeouts import QUEUE_CALL_S
from lumimd.ports.service_controls import QueueState, RunState

T = TypeVar("T")

COUNTED: Final = 1000
"""The most tasks counted per queue: the API has no counter, so one page of tasks is listed."""


_STATES: Final = {
    "RUNNING": RunState.RUNNING,
    "PAUSED": RunState.PAUSED,
    "DISABLED": RunState.DISABLED,
}


class CloudTasksQueues:
    """The task queues of one location (`projects/P/locations/L`)."""

    def __init__(self, client: tasks_v2.CloudTasksAsyncClient, location: str) -> None:
        self._client = client
        self._location = location

    async def all(self) -> Sequence[QueueState]:
        """Return every queue, by name, with one call for the list and one call per queue."""
        found = await _called(
            self._client.list_queues(parent=self._location, retry=None, timeout=QUEUE_CALL_S)
        )
        queues = [queue async for queue in found]
        return sorted([await self._state(queue) for queue in queues], key=lambda each: each.name)

    async def pause(self, name: str) -> QueueState:
        """Hand out no more tasks of the queue."""
        path = f"{self._location}/queues/{name}"
        return await self._state(
            await _called(self._client.pause_queue(name=path, retry=None, timeout=QUEUE_CALL_S))
        )

    async def resume(self, name: str) -> QueueState:
        """Hand out tasks of the queue again."""
        path = f"{self._location}/queues/{name}"
        return await self._state(
            await _called(self._client.resume_queue(name=path, retry=None, timeout=QUEUE_CALL_S))
        )

    async def _state(self, queue: Any) -> QueueState:
        asked = tasks_v2.ListTasksRequest(parent=queue.name, page_size=COUNTED)
        pager = await _called(
            self._client.list_tasks(request=asked, retry=None, timeout=QUEUE_CALL_S)
        )
        page = await anext(aiter(pager.pages))
        created = [task.create_time for task in page.tasks]
        return QueueState(
            name=queue.name.rpartition("/")[2],
            state=_STATES[queue.state.name],
            waiting=len(page.tasks),
            waiting_is_more=bool(page.next_page_token),
            retrying=sum(task.response_count > 0 for task in page.tasks),
            oldest_created_at=min(created) if created else None,
            per_second=queue.rate_limits.max_dispatches_per_second,
            at_once=queue.rate_limits.max_concurrent_dispatches,
        )


async def _called(call: Awaitable[T]) -> T:
    try:
        return await call
    except (api.NotFound, api.InvalidArgument) as error:
        raise OperatorRefused(OperatorCode.NO_SUCH_QUEUE) from error
    except (api.ServerError, api.TooManyRequests, api.Aborted, api.RetryError) as error:
        raise Transient(ErrorCode.INTERNAL_ERROR) from error
