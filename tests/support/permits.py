"""Run the real pipeline in memory with few permits at the provider, and act as users."""

from collections.abc import Iterable

from lumimd.adapters.memory import MemoryTranscriber
from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Commit
from lumimd.domain.errors import Transient
from lumimd.domain.visit import Visit
from lumimd.pipeline import accept, recover
from lumimd.policies.permits import Cap
from lumimd.ports.transcriber import Running, Transcribed
from tests.support.services import MemoryServices, transcript
from tests.support.visits import MINUTE

DOWN = Transient(ErrorCode.INTERNAL_ERROR)


class CappedTranscriber(MemoryTranscriber):
    """A stub provider that records its jobs in sequence and the most jobs at one time."""

    most_at_once = 0
    is_down = False

    async def submit(self, audio_url: str, *, visit_id: str, attempt: int) -> str:
        if self.is_down:
            raise DOWN
        job = await super().submit(audio_url, visit_id=visit_id, attempt=attempt)
        self.most_at_once = max(self.most_at_once, len(self.running()))
        return job

    def running(self) -> list[str]:
        return [o.transcript_id for o in self.orders if isinstance(o.state, Running)]

    def ordered_for(self) -> list[str]:
        return [order.visit_id for order in self.orders]


def services_with(permits: int) -> MemoryServices:
    return MemoryServices(transcriber=CappedTranscriber(), cap=Cap.of(permits))


def provider_of(services: MemoryServices) -> CappedTranscriber:
    assert isinstance(services.transcriber, CappedTranscriber)
    return services.transcriber


async def upload(services: MemoryServices, visit_id: str, **marks: object) -> None:
    """Upload a recording of the user named at the start of `visit_id`; `marks` are visit fields."""
    uploaded = services.upload(visit_id, user_id=visit_id.split("-")[0])
    if marks:
        await create(services, visit_id, **marks)
    await accept.accept(services, uploaded)


async def create(services: MemoryServices, visit_id: str, **marks: object) -> None:
    """Create a visit, as a client does before its upload."""
    now = services.clock.now()
    user = visit_id.split("-")[0]
    visit = Visit(visit_id=visit_id, user_id=user, created_at=now, updated_at=now)
    await services.store.create(Commit(visit.model_copy(update=marks)))


async def minute_passes(services: MemoryServices, finish: Iterable[str] | None = None) -> None:
    """End the jobs `finish` (None: all running jobs), and then run the scheduled function."""
    provider = provider_of(services)
    for job in [*provider.running()] if finish is None else finish:
        provider.finish(job, Transcribed(transcript()))
    services.clock.advance(MINUTE)
    await recover.wake_due(services)
