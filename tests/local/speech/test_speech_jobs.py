"""The speech server runs jobs and returns their transcripts."""

import pytest
from assemblyai.prerecorded.v2 import async_api

from infra.local.speech.scripts import Script, SpokenLine
from tests.local.speech.client import HOUR_S, finished, submitted

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_transcript_of_a_job_has_two_speakers(server, client):
    done = await finished(server, client, speaker_labels=True, language_detection=True)
    assert done.status == "completed"
    assert done.utterances is not None
    assert {each.speaker for each in done.utterances} == {"A", "B"}
    assert len(done.utterances) == 12
    assert done.words is not None
    assert [w.text for u in done.utterances for w in u.words] == [w.text for w in done.words]
    assert all(word.start < word.end for word in done.words)
    assert done.text == " ".join(each.text for each in done.utterances)
    assert done.language_code == "en"
    assert done.audio_duration == round(done.words[-1].end / 1000)


async def test_without_speaker_labels_there_are_no_utterances(server, client):
    done = await finished(server, client)
    assert done.utterances is None
    assert done.words is not None
    assert {word.speaker for word in done.words} == {None}
    assert done.language_code == "en_us"


async def test_jobs_beyond_the_concurrency_limit_are_queued(server, client):
    server.script(Script(delay_s=HOUR_S))
    ids = [await submitted(client) for _ in range(3)]
    states = [await async_api.get_transcript(client.http_client, each) for each in ids]
    assert [state.status for state in states] == ["processing", "processing", "queued"]


async def test_a_script_applies_only_to_matching_submissions(server, client):
    line = SpokenLine(speaker="B", text="Take it daily.", start=500, end=2000, confidence=0.5)
    server.script(Script(match="/v7/", utterances=[line]))
    other = await finished(server, client, speaker_labels=True)
    mine = await finished(
        server, client, "http://127.0.0.1:9/visits/u1/v7/audio.m4a", speaker_labels=True
    )
    assert other.text != "Take it daily."
    assert mine.utterances is not None
    (utterance,) = mine.utterances
    assert (utterance.speaker, utterance.start, utterance.end) == ("B", 500, 2000)
    assert mine.confidence == 0.5


async def test_a_scripted_ten_hour_transcript_has_numbered_lines_in_order(server, client):
    server.script(Script(hours=10))
    done = await finished(server, client, speaker_labels=True)
    assert done.audio_duration == pytest.approx(36_000, abs=30)
    assert done.utterances is not None
    numbers = [int(each.text.split()[-1].rstrip(".")) for each in done.utterances]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 4000


async def test_a_script_with_times_one_applies_to_one_submission(server, client):
    server.script(Script(error="broken", times=1))
    first = await finished(server, client)
    second = await finished(server, client)
    assert [first.status, second.status] == ["error", "completed"]
