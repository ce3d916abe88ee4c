"""The provider's jobs are listed page by page to the end, in memory and by AssemblyAI's SDK."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from lumimd.adapters.assemblyai import transcriber as assemblyai
from lumimd.adapters.memory import transcriber as memory
from lumimd.ports.paging import pages
from tests.contract.test_transcriber import Provider, provider  # noqa: F401  (a fixture)


async def test_each_job_is_listed_on_exactly_one_page_newest_first(
    provider: Provider,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (assemblyai, memory):
        monkeypatch.setattr(module, "PAGE", 2)
    ordered = []
    for _ in range(5):
        visit_id = uuid.uuid4().hex
        await provider.will_be(visit_id, "transcribed")
        url = f"https://storage.invalid/recordings/visits/u/{visit_id}/audio.wav?generation=1"
        ordered.append(await provider.transcriber.submit(url, visit_id=visit_id, attempt=1))
    found = [page async for page in pages(provider.transcriber.listed)]
    assert all(len(page.items) <= 2 for page in found)
    jobs = [job for page in found for job in page.items]
    assert [job.transcript_id for job in jobs][:5] == ordered[::-1]
    assert len({job.transcript_id for job in jobs}) == len(jobs)
    for job in jobs[:5]:
        at = job.ordered_at
        assert at is None or abs(datetime.now(UTC) - at) < timedelta(hours=1)
