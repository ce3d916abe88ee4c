"""Who looks for an earlier order finds it, whatever becomes of it in the same moment."""

from datetime import timedelta

import pytest

from lumimd.domain.audio import Audio
from lumimd.pipeline import accept, collect, recover
from lumimd.ports.transcriber import Transcribed
from tests.support.parts import MemoryParts, transcript


class Killed(BaseException):
    """What a process that is gone does not go on with."""


async def test_a_job_whose_transcript_is_stored_while_somebody_looks_is_not_ordered_again() -> None:
    """Its copy at the provider stays for a while, since who looks there would miss it."""
    parts = MemoryParts()
    submit, find = parts.transcriber.submit, parts.transcriber.find

    async def dies_after_ordering(audio_url: str, *, visit_id: str, attempt: int) -> str:
        await submit(audio_url, visit_id=visit_id, attempt=attempt)
        raise Killed

    async def is_overtaken(audio: Audio) -> str | None:
        parts.transcriber.finish("job-0", Transcribed(transcript()))
        await collect.collect(parts, "visit-1", 1, "job-0")
        return await find(audio)

    parts.transcriber.submit = dies_after_ordering  # type: ignore[method-assign]
    with pytest.raises(Killed):
        await accept.accept(parts, parts.upload())
    parts.transcriber.submit = submit  # type: ignore[method-assign]
    parts.transcriber.find = is_overtaken  # type: ignore[method-assign]
    parts.clock.advance(timedelta(minutes=2))
    await recover.wake_due(parts)
    assert len(parts.transcriber.orders) == 1
    assert await parts.store.transcript("visit-1")
