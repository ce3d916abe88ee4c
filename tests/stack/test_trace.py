"""The log lines of all functions about a visit have the same trace id, from upload to end."""

import asyncio
import json
from pathlib import Path

import pytest

from infra.local.stack import ENTRY_POINTS
from lumimd.domain.visit import Status
from tests.stack.conftest import Pipeline
from tests.support.services import tone

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

MILESTONES = [
    "audio_accepted",
    "submission_claimed",
    "transcription_submitted",
    "transcript_stored",
    "summary_claimed",
    "summary_stored",
    "visit_ended",
]


async def test_one_trace_id_links_the_log_lines_of_all_functions_from_upload_to_end(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    recording = tmp_path / "audio.wav"
    recording.write_bytes(tone(seconds=1))
    visit_id = pipeline.new_visit()
    await pipeline.upload(recording, visit_id)
    visit = await pipeline.ended(visit_id)
    assert visit.status is Status.COMPLETED

    async with asyncio.timeout(10):  # the listener receives a commit before the function logs it
        while not any(_ends(line, visit_id) for _, line in _lines(pipeline)):
            await asyncio.sleep(0.05)  # a file has no event to wait for
    lines = _lines(pipeline)
    followed = [(function, line) for function, line in lines if line.get("trace") == visit.trace]
    in_order = sorted((line["timestamp"], line["event"]) for _, line in followed)
    events = [event for _, event in in_order]
    assert [event for event in events if event in MILESTONES] == MILESTONES
    assert {"on_audio_finalized", "summarize_visit"} < {function for function, _ in followed}
    assert {line["visitId"] for _, line in followed} == {visit_id}
    without = {
        line["event"]
        for _, line in lines
        if line.get("visitId") == visit_id and "trace" not in line
    }
    # A line that is logged before the visit is read has a visit id and no trace id.
    assert without <= {"hint_ignored", "provider_called"}
    print(f"\n{visit_id}: {visit.trace}")
    for (timestamp, event), (function, _) in zip(
        in_order, sorted(followed, key=lambda found: found[1]["timestamp"]), strict=True
    ):
        print(f"{timestamp}  {function:26}  {event}")


def _ends(line: dict[str, object], visit_id: str) -> bool:
    return (line["event"], line.get("visitId")) == ("visit_ended", visit_id)


def _lines(pipeline: Pipeline) -> list[tuple[str, dict[str, object]]]:
    """Return every log line of our code, with the name of the function that logged it."""
    found = []
    for name in ENTRY_POINTS:
        for log in pipeline.stack.run_dir.glob(f"{name}*.log"):
            for text in log.read_text().splitlines():
                if text.startswith("{"):
                    found.append((name, json.loads(text)))
    assert found
    return found
