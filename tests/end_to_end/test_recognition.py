"""The sample recording and silence run through the stack with real speech recognition."""

import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
import pytest_asyncio

from infra.local.client import USER_ID, VisitDocuments
from infra.local.launcher import Stack, running_stack
from infra.local.stack import Options
from lumimd.domain.codes import ErrorCode
from lumimd.domain.visit import Status
from tests.support.services import SAMPLE, tone

pytestmark = [
    pytest.mark.stack,
    pytest.mark.speech,
    pytest.mark.asyncio(loop_scope="module"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack() -> AsyncIterator[Stack]:
    async with running_stack(Options(in_memory=True, env={}), say=lambda _: None) as stack:
        yield stack


async def completed(stack: Stack, recording: Path) -> VisitDocuments:
    visit_id = f"v-{recording.suffix[1:]}-{recording.stat().st_size}"
    await stack.client.upload(recording, f"visits/{USER_ID}/{visit_id}/{recording.name}")
    async with aclosing(stack.client.watch(visit_id)) as updates:
        async for visit in updates:
            if visit.processing_status.is_terminal:
                break
    return await stack.client.documents(visit_id)


async def test_the_summary_of_the_really_recognized_sample_is_supported_by_its_words(
    stack: Stack,
) -> None:
    """tests/local/speech/test_decoding.py checks that other formats decode to the same sound."""
    documents = await completed(stack, SAMPLE)
    visit = documents.visit
    assert visit.status is Status.COMPLETED
    text = {utterance.id: utterance.text.lower() for utterance in documents.transcript}
    roles = {utterance.speaker: utterance.role for utterance in documents.transcript}
    assert sorted(roles.values()) == ["clinician", "patient"]

    assert visit.medications
    medications = [
        *visit.medications.started,
        *visit.medications.stopped,
        *visit.medications.changed,
    ]
    assert len(medications) >= 3
    for medication in medications:
        said = " ".join(text[each] for each in medication.evidence)
        assert medication.name.lower() in said
        for number in re.findall(r"\d+", medication.dose or ""):
            assert number in said
    assert documents.actions
    for action in documents.actions:
        said = " ".join(text[each] for each in action.evidence)
        words = re.findall(r"[a-z]{4,}", action.text.lower())
        assert sum(word in said for word in words) >= 0.8 * len(words), action.action_id


async def test_a_visit_with_two_minutes_of_silence_fails_with_no_speech(
    stack: Stack, tmp_path: Path
) -> None:
    recording = tmp_path / "silence.wav"
    recording.write_bytes(tone(seconds=120))
    documents = await completed(stack, recording)
    assert documents.visit.processing_error
    assert documents.visit.processing_error.code is ErrorCode.NO_SPEECH
    assert "summary_claimed" not in [entry.event for entry in documents.history]
