"""A transcription provider in memory that counts charges."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from lumimd.domain.audio import Audio, AudioLimits, is_below
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Transient
from lumimd.ports.paging import Cursor, Page
from lumimd.ports.transcriber import Failed, Job, JobGone, KnownJob, Running, Transcribed

PAGE: Final = 100


@dataclass
class Order:
    """One paid job, and its visit."""

    transcript_id: str
    audio_url: str
    visit_id: str
    attempt: int
    state: Running | Transcribed | Failed
    is_deleted: bool = False


class MemoryTranscriber:
    """A transcriber whose jobs run until `finish`, or end at once with a visit's `outcome`."""

    provider = "memory"
    limits = AudioLimits()

    def __init__(
        self, outcome: Callable[[str], Running | Transcribed | Failed] = lambda _: Running()
    ) -> None:
        self.orders: list[Order] = []
        self._outcome = outcome

    async def submit(self, audio_url: str, *, visit_id: str, attempt: int) -> str:
        """Order a transcript; every paid job that does not fail counts as one charge."""
        await asyncio.sleep(0)
        transcript_id = f"job-{len(self.orders)}"
        state = self._outcome(visit_id)
        self.orders.append(Order(transcript_id, audio_url, visit_id, attempt, state))
        return transcript_id

    async def fetch(self, transcript_id: str) -> Job:
        """Return the job; raise JobGone if it was never ordered or is deleted."""
        await asyncio.sleep(0)
        for order in self.orders:
            if order.transcript_id == transcript_id and not order.is_deleted:
                return Job(transcript_id, order.audio_url, order.state)
        raise JobGone

    async def find(self, audio: Audio, without: Collection[str] = ()) -> str | None:
        """Return the newest job for this generation of the recording that has not failed."""
        await asyncio.sleep(0)
        for order in reversed(self.orders):
            if order.transcript_id in without or isinstance(order.state, Failed):
                continue
            if audio.is_named_by(order.audio_url):
                return order.transcript_id
        return None

    async def listed(self, after: Cursor | None = None) -> Page[KnownJob]:
        """Return the next jobs, the newest first, without the time of their order."""
        await asyncio.sleep(0)
        end = int(after.value) if after else len(self.orders)
        first = max(0, end - PAGE)
        page = tuple(
            KnownJob(order.transcript_id, order.audio_url, not isinstance(order.state, Running))
            for order in reversed(self.orders[first:end])
        )
        return Page(page, Cursor(first, self.orders[first].transcript_id) if first else None)

    async def jobs_below(self, bucket: str, folder: str) -> Sequence[str]:
        """Return the ids of the jobs for recordings below `folder`, the newest first."""
        await asyncio.sleep(0)
        orders = (order for order in reversed(self.orders))
        return [o.transcript_id for o in orders if is_below(o.audio_url, bucket, folder)]

    async def delete(self, transcript_id: str) -> bool:
        """Delete the job; raise Transient while it runs."""
        await asyncio.sleep(0)
        for order in self.orders:
            if order.transcript_id == transcript_id and not order.is_deleted:
                if isinstance(order.state, Running):
                    raise Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE)
                order.is_deleted, order.audio_url = True, ""
                return True
        return False

    def finish(self, transcript_id: str, state: Transcribed | Failed) -> None:
        """End the job with this state."""
        for order in self.orders:
            if order.transcript_id == transcript_id:
                order.state = state
