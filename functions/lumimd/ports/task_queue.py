"""The port to the task queue."""

from typing import Protocol


class TaskQueue(Protocol):
    """The task queue, which hands work to another invocation."""

    async def request_summary(self, visit_id: str, attempt: int, request: int) -> None:
        """Create a task that calls `summarize_visit` with these ids; equal ids make one task."""
        ...

    async def forget(self, visit_id: str, attempt: int, request: int) -> bool:
        """Delete the task of these ids, and return whether the task still existed."""
        ...
