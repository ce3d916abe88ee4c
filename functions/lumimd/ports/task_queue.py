"""The task queue, as a role."""

from typing import Protocol


class TaskQueue(Protocol):
    """Hands work to another invocation."""

    async def request_summary(self, visit_id: str, attempt: int, request: int) -> None:
        """Create a task that calls `summarize_visit` with these ids; the same ids are one task."""
        ...

    async def forget(self, visit_id: str, attempt: int, request: int) -> bool:
        """Delete the task of these ids; whether it still existed."""
        ...
