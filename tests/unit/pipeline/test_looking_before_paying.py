"""Who looks for an earlier order finds it, whatever becomes of it in the same moment."""

from datetime import timedelta

import pytest

from lumimd.domain.audio import Audio
from lumimd.pipeline import accept, collect, recover
from lumimd.ports.transcriber import Transcribed
from tests.support.services import MemoryServices, transcript


class Killed(BaseException):
    """What a process that is gone does not go on with."""


async def test_a_job_whose_transcript_is_stored_while_somebody_looks_is_not_ordered_again() -> None:
    """Its copy at the provider stays for a while, since who looks there would miss it."""
    services = MemoryServices()
    submit, find = services.transcriber.submit, services.transcriber.find

    async def dies_after_ordering(audio_url: str, *, visit_id: str, attempt: int) -> str:
        await submit(audio_url, visit_id=visit_id, attempt=attempt)
        raise Killed

    async def is_overtaken(audio: Audio) -> str | None:
        services.transcriber.finish("job-0", Transcribed(transcript()))
        await collect.collect(services, "visit-1", 1, "job-0")
        return await find(audio)

    services.transcriber.submit = dies_after_ordering  # type: ignore[method-assign]
    with pytest.raises(Killed):
        await accept.accept(services, services.upload())
    services.transcriber.submit = submit  # type: ignore[method-assign]
    services.transcriber.find = is_overtaken  # type: ignore[method-assign]
    services.clock.advance(timedelta(minutes=2))
    await recover.wake_due(services)
    assert len(services.transcriber.orders) == 1
    assert await services.store.transcript("visit-1")
