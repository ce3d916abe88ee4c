"""Order the measurements: quick ones before slow ones, and round robin between users."""

from collections import OrderedDict, deque
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field

from lumimd.adapters.measuring.limits import SLOW_AT_ONCE
from lumimd.adapters.measuring.process import Measured, Read


@dataclass(eq=False)
class Job:
    """A recording to measure: `read(offset, length)` returns its bytes."""

    user: str
    size: int
    read: Read
    is_slow: bool = False
    result: Future[Measured] = field(default_factory=Future)


class Lane:
    """A fair queue of jobs: round robin between users."""

    def __init__(self) -> None:
        self._users: OrderedDict[str, deque[Job]] = OrderedDict()

    def __iter__(self) -> Iterator[Job]:
        return (job for jobs in self._users.values() for job in jobs)

    def add(self, job: Job) -> None:
        """Append the job to the jobs of its user."""
        self._users.setdefault(job.user, deque()).append(job)

    def take(self) -> Job | None:
        """Return the next user's first job; the user then goes to the end of the rotation."""
        if not self._users:
            return None
        user, jobs = self._users.popitem(last=False)
        job = jobs.popleft()
        if jobs:
            self._users[user] = jobs
        return job


class Lanes:
    """A quick lane for the first look at each recording, and a slow lane for costly recordings.

    A short first look shows whether a recording is costly. So every recording gets its first look
    soon, however many costly ones wait, and slow jobs never occupy all workers.
    """

    def __init__(self) -> None:
        self._quick = Lane()
        self._slow = Lane()
        self._slow_now = 0

    def __len__(self) -> int:
        return sum(1 for lane in (self._quick, self._slow) for _ in lane)

    def add(self, job: Job) -> None:
        """Put the job into its lane."""
        (self._slow if job.is_slow else self._quick).add(job)

    def take(self) -> Job | None:
        """Return the next job; None if no job may begin now."""
        job = self._quick.take()
        if job is None and self._slow_now < SLOW_AT_ONCE:
            job = self._slow.take()
            self._slow_now += job is not None
        return job

    def ended(self, job: Job) -> None:
        """Note that a worker has finished the job."""
        self._slow_now -= job.is_slow

    def drain(self) -> list[Job]:
        """Remove and return all waiting jobs."""
        waiting = [*self._quick, *self._slow]
        self._quick, self._slow = Lane(), Lane()
        return waiting
