"""Test that a recording beyond the provider's limits is refused before a job is paid."""

import pytest

from lumimd.domain.audio import Audio, AudioLimits
from lumimd.domain.codes import ErrorCode
from lumimd.pipeline import accept
from tests.support.services import MemoryServices
from tests.support.visits import visit_of


@pytest.mark.parametrize(
    ("limits", "code", "opened"),
    [
        (AudioLimits(max_bytes=1_000), ErrorCode.AUDIO_TOO_LARGE, 0),
        (AudioLimits(min_seconds=3), ErrorCode.AUDIO_TOO_SHORT, 1),
        (AudioLimits(max_seconds=1), ErrorCode.AUDIO_TOO_LONG, 1),
    ],
)
async def test_no_job_is_submitted_for_a_recording_beyond_the_providers_limits(
    limits: AudioLimits, code: ErrorCode, opened: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = MemoryServices()
    measured: list[Audio] = []
    measure = services.audio.measure

    async def counted(audio: Audio) -> Audio:
        measured.append(audio)
        return await measure(audio)

    monkeypatch.setattr(services.audio, "measure", counted)
    monkeypatch.setattr(services.transcriber, "limits", limits)
    await accept.accept(services, services.upload())
    visit = await visit_of(services)
    assert visit.processing_error is not None
    assert visit.processing_error.code is code
    assert len(measured) == opened
    assert not services.transcriber.orders
