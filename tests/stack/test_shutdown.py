"""On SIGTERM, as sent at every deployment, a function releases its lease before it is killed."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lumimd.domain.visit import ProcessingStatus
from tests.stack.conftest import Pipeline
from tests.support.services import tone

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

FUNCTION = "on_audio_finalized"


async def test_a_visit_waits_for_its_dependency_when_sigterm_ends_its_function_during_a_submission(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    recording = tmp_path / "audio.wav"
    recording.write_bytes(tone(seconds=1))
    visit_id = pipeline.new_visit()
    await pipeline.script(visit_id, http=[{"route": "submit", "status": 503, "delay_s": 25}])
    before = await pipeline.calls_of("submit")
    await pipeline.upload(recording, visit_id)
    async with asyncio.timeout(60):
        while await pipeline.calls_of("submit") == before:
            await asyncio.sleep(0.05)  # the provider's count has no event to wait for
    await pipeline.stack.processes.stop(FUNCTION)
    try:
        visit = (await pipeline.documents(visit_id)).visit
        assert '"event": "instance_is_ending"' in pipeline.log_of(FUNCTION)
        assert visit.processing_status is ProcessingStatus.PENDING
        assert (visit.stage_tries, visit.held_since is not None) == (0, True)
        assert visit.wake_at is not None
        assert visit.wake_at < datetime.now(UTC) + timedelta(minutes=3)
    finally:
        await pipeline.stack.processes.start(FUNCTION)
