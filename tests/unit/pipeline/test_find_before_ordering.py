"""Test that a worker looks for an existing paid job (order) before it submits a new job."""

from datetime import timedelta

import pytest

from lumimd.domain.audio import Audio
from lumimd.pipeline import accept, collect, recover
from lumimd.ports.transcriber import Transcribed
from tests.support.services import MemoryServices, transcript


class Killed(BaseException):
    """A simulated kill of the process."""


async def test_no_second_job_is_submitted_if_the_first_is_collected_during_the_search() -> None:
    """The provider's copy is kept for a while, so that a concurrent search still finds it."""
    services = MemoryServices()
    submit, find = services.transcriber.submit, services.transcriber.find

    async def killed_after_ordering(audio_url: str, *, visit_id: str, attempt: int) -> str:
        await submit(audio_url, visit_id=visit_id, attempt=attempt)
        raise Killed

    async def collected_meanwhile(audio: Audio) -> str | None:
        services.transcriber.finish("job-0", Transcribed(transcript()))
        await collect.collect(services, "visit-1", 1, "job-0")
        return await find(audio)

    services.transcriber.submit = killed_after_ordering  # type: ignore[method-assign]
    with pytest.raises(Killed):
        await accept.accept(services, services.upload())
    services.transcriber.submit = submit  # type: ignore[method-assign]
    services.transcriber.find = collected_meanwhile  # type: ignore[method-assign]
    services.clock.advance(timedelta(minutes=2))
    await recover.wake_due(services)
    assert len(services.transcriber.orders) == 1
    assert await services.store.transcript("visit-1")
