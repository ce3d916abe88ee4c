"""Work handed to another invocation."""

from typing import Protocol


class TaskQueue(Protocol):
    """Work handed to another invocation."""

    async def request_summary(self, visit_id: str, attempt: int, request: int) -> None:
        """Have `summarize_visit` called with these ids. The same three ids are the same task."""
        ...

    async def forget(self, visit_id: str, attempt: int, request: int) -> bool:
        """Delete the task of these ids; whether it was still there."""
        ...
