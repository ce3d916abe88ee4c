"""The speech server lists transcripts and deletes them, as AssemblyAI does."""

import pytest
from assemblyai.prerecorded.v2 import async_api
from assemblyai.types import TranscriptError

from infra.local.speech.scripts import Script
from tests.local.speech.client import AUDIO, HOUR_S, finished, listed, submitted

pytestmark = pytest.mark.asyncio(loop_scope="module")


class TestList:
    async def test_the_list_pages_from_newest_to_oldest_and_back(self, server, client):
        ids = [await submitted(client) for _ in range(5)]
        first = await listed(client, limit=2)
        second = await listed(client, limit=2, before_id=ids[3])
        last = await listed(client, limit=2, before_id=ids[1])
        back = await listed(client, limit=2, after_id=ids[0])
        pages = [[item.id for item in page.transcripts] for page in (first, second, last, back)]
        assert pages == [ids[:2:-1], ids[2:0:-1], ids[:1], ids[2:0:-1]]
        assert first.page_details.next_url is None
        assert f"before_id={ids[3]}" in (first.page_details.prev_url or "")
        assert f"after_id={ids[2]}" in (second.page_details.next_url or "")
        assert last.page_details.prev_url is None

    async def test_the_list_filters_by_status_and_day(self, server, client):
        server.script(Script(match="/bad", error="broken"))
        good = await submitted(client)
        bad = await submitted(client, "http://127.0.0.1:9/bad")
        await server.settled()
        today = server.state.book.get(good).created_at.date().isoformat()
        assert [item.id for item in (await listed(client, status="error")).transcripts] == [bad]
        assert len((await listed(client, created_on=today)).transcripts) == 2
        assert (await listed(client, created_on="2001-01-01")).transcripts == []

    async def test_list_items_have_the_audio_url_and_the_error(self, server, client):
        server.script(Script(error="broken"))
        done = await finished(server, client)
        (item,) = (await listed(client)).transcripts
        assert (item.audio_url, item.error, item.completed) == (AUDIO, "broken", None)
        assert item.resource_url == f"{server.url}/v2/transcript/{done.id}"


class TestDelete:
    async def test_a_deleted_transcript_loses_its_text_and_stays_in_the_list(self, server, client):
        done = await finished(server, client, speaker_labels=True)
        await async_api.delete_transcript(client.http_client, done.id)
        left = await async_api.get_transcript(client.http_client, done.id)
        assert (left.status, left.text, left.words, left.utterances) == (
            "completed",
            "Deleted by user.",
            None,
            None,
        )
        (item,) = (await listed(client)).transcripts
        assert item.audio_url == left.audio_url == "http://deleted_by_user"

    async def test_a_running_job_cannot_be_deleted(self, server, client):
        server.script(Script(delay_s=HOUR_S))
        job_id = await submitted(client)
        with pytest.raises(TranscriptError) as raised:
            await async_api.delete_transcript(client.http_client, job_id)
        assert raised.value.status_code == 400
