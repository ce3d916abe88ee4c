"""Implements the RPCs of google.cloud.tasks.v2.CloudTasks with queues in memory."""

import logging
import uuid
from collections.abc import Callable

from google.api_core import exceptions
from google.cloud import tasks_v2
from google.protobuf import empty_pb2

from infra.local.cloud_tasks.queue import Attempt, Queue
from infra.local.cloud_tasks.validation import checked_queue, checked_task
from infra.local.google_api import grpc_server
from infra.local.google_api.grpc_server import page
from infra.local.google_api.pump import Clock, Pump

SERVICE = "google.cloud.tasks.v2.CloudTasks"
_LARGEST_PAGE = 1000

log = logging.getLogger("infra.local.cloud_tasks")


class CloudTasks:
    """The queues; each public method is an RPC (see `grpc_server.service_handler`).

    The name of a deleted queue may be used again immediately, since a local stack may be restarted
    at any time. The real service reserves the name for up to three days.
    """

    def __init__(
        self,
        queues: dict[str, Queue],
        pump: Pump[Queue, Attempt],
        clock: Clock,
        new_id: Callable[[], str] = lambda: str(uuid.uuid4().int),
    ) -> None:
        self._queues = queues
        self._pump = pump
        self._clock = clock
        self._new_id = new_id

    async def create_queue(self, request: tasks_v2.CreateQueueRequest) -> tasks_v2.Queue:
        queue = checked_queue(request.queue)
        if not queue.name.startswith(f"{request.parent}/queues/"):
            raise exceptions.InvalidArgument("The queue's name is not in the request's location")
        if queue.name in self._queues:
            raise exceptions.AlreadyExists("Queue already exists")
        return self._add(queue)

    async def get_queue(self, request: tasks_v2.GetQueueRequest) -> tasks_v2.Queue:
        return self._queue(request.name).message

    async def list_queues(self, request: tasks_v2.ListQueuesRequest) -> tasks_v2.ListQueuesResponse:
        if request.filter:
            raise exceptions.MethodNotImplemented("Filters are not available locally")
        here = [name for name in self._queues if name.startswith(f"{request.parent}/queues/")]
        names, token = page(here, request.page_size, request.page_token, _LARGEST_PAGE)
        return tasks_v2.ListQueuesResponse(
            queues=[self._queues[name].message for name in names], next_page_token=token
        )

    async def update_queue(self, request: tasks_v2.UpdateQueueRequest) -> tasks_v2.Queue:
        """Change the fields in the mask, or all fields without a mask. Creates a missing queue."""
        name = request.queue.name
        if name not in self._queues:
            return self._add(checked_queue(request.queue))
        queue = self._queues[name]
        merged = checked_queue(
            grpc_server.merged(queue.message, request.queue, request.update_mask)
        )
        # These fields are output only, so the values in the request are ignored.
        merged.name, merged.state = name, queue.message.state
        merged.purge_time = queue.message.purge_time
        queue.configure(merged, self._clock())
        self._pump.wake()
        return queue.message

    async def delete_queue(self, request: tasks_v2.DeleteQueueRequest) -> empty_pb2.Empty:
        self._queue(request.name)
        del self._queues[request.name]
        log.info("queue %s deleted", _short(request.name))
        return empty_pb2.Empty()

    async def purge_queue(self, request: tasks_v2.PurgeQueueRequest) -> tasks_v2.Queue:
        queue = self._queue(request.name)
        queue.purge(self._clock())
        log.info("queue %s purged", _short(request.name))
        return queue.message

    async def pause_queue(self, request: tasks_v2.PauseQueueRequest) -> tasks_v2.Queue:
        queue = self._queue(request.name)
        queue.pause()
        log.info("queue %s paused", _short(request.name))
        return queue.message

    async def resume_queue(self, request: tasks_v2.ResumeQueueRequest) -> tasks_v2.Queue:
        queue = self._queue(request.name)
        queue.resume()
        self._pump.wake()
        log.info("queue %s resumed", _short(request.name))
        return queue.message

    async def create_task(self, request: tasks_v2.CreateTaskRequest) -> tasks_v2.Task:
        queue, now = self._queue(request.parent), self._clock()
        task = checked_task(request.task, request.parent, self._new_id(), now)
        created = queue.create(task, now)
        self._pump.wake()
        log.info("task %s created", _short(created.name))
        return _view(created, request.response_view)

    async def get_task(self, request: tasks_v2.GetTaskRequest) -> tasks_v2.Task:
        return _view(self._queue_of(request.name).get(request.name), request.response_view)

    async def list_tasks(self, request: tasks_v2.ListTasksRequest) -> tasks_v2.ListTasksResponse:
        queue = self._queue(request.parent)
        names, token = page(queue.names(), request.page_size, request.page_token, _LARGEST_PAGE)
        tasks = [_view(queue.get(name), request.response_view) for name in names]
        return tasks_v2.ListTasksResponse(tasks=tasks, next_page_token=token)

    async def delete_task(self, request: tasks_v2.DeleteTaskRequest) -> empty_pb2.Empty:
        self._queue_of(request.name).delete(request.name, self._clock())
        log.info("task %s deleted", _short(request.name))
        return empty_pb2.Empty()

    async def run_task(self, request: tasks_v2.RunTaskRequest) -> tasks_v2.Task:
        queue = self._queue_of(request.name)
        attempt = queue.run_now(request.name, self._clock())
        self._pump.start(queue, attempt)
        return _view(attempt.task, request.response_view)

    def _add(self, message: tasks_v2.Queue) -> tasks_v2.Queue:
        queue = Queue(message, self._clock())
        self._queues[message.name] = queue
        log.info("queue %s created", _short(message.name))
        return queue.message

    def _queue(self, name: str) -> Queue:
        if name not in self._queues:
            raise exceptions.NotFound("Queue does not exist.")
        return self._queues[name]

    def _queue_of(self, task_name: str) -> Queue:
        return self._queue(task_name.rpartition("/tasks/")[0])


def _view(task: tasks_v2.Task, view: tasks_v2.Task.View) -> tasks_v2.Task:
    """Copy the task for a response; the default view, BASIC, omits the body."""
    shown = tasks_v2.Task(task, view=view or tasks_v2.Task.View.BASIC)
    if shown.view == tasks_v2.Task.View.BASIC:
        shown.http_request.body = b""
    return shown


def _short(name: str) -> str:
    return name.rpartition("/")[2]
