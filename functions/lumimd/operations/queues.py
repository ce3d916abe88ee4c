"""The task queues: read how full they are; pause and resume them. A pause loses no task."""

from lumimd.domain.document import Document
from lumimd.domain.visit import ProcessingStatus
from lumimd.operations.audit import audited_control
from lumimd.operations.operator import Operator
from lumimd.ports.service_controls import QueueState


class VisitCounts(Document):
    """The numbers of visits that wait, are in work, are done and have failed."""

    waiting: int
    active: int
    completed: int
    failed: int
    cancelled: int


class Queues(Document):
    """The task queues, and the numbers of visits by status."""

    queues: tuple[QueueState, ...]
    visits: VisitCounts


async def look(operator: Operator) -> Queues:
    """Return how full the queues are, and how many visits are in each status."""
    counts = await operator.services.operators.counts()
    return Queues(
        queues=tuple(await operator.services.queues.all()),
        visits=VisitCounts(
            waiting=counts[ProcessingStatus.PENDING],
            active=counts[ProcessingStatus.TRANSCRIBING] + counts[ProcessingStatus.SUMMARIZING],
            completed=counts[ProcessingStatus.COMPLETED],
            failed=counts[ProcessingStatus.FAILED],
            cancelled=counts[ProcessingStatus.CANCELLED],
        ),
    )


async def pause(operator: Operator, name: str) -> QueueState:
    """Hand out no more tasks of a queue; tasks that are created meanwhile wait."""
    queues = operator.services.queues
    return await audited_control(operator, "pause_queue", name, queues, queues.pause)


async def resume(operator: Operator, name: str) -> QueueState:
    """Hand out the tasks of a queue again."""
    queues = operator.services.queues
    return await audited_control(operator, "resume_queue", name, queues, queues.resume)
