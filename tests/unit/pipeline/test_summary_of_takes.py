"""Test that a summary covers the stored transcript of all files, without replaced files."""

from datetime import timedelta

import pytest

from lumimd.domain.audio import Upload
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import DeploymentFault, Permanent, ProviderRefuses, Transient
from lumimd.domain.visit import ProcessingStatus, Status, Visit
from lumimd.pipeline import accept, collect, commands
from lumimd.ports.transcriber import Transcribed
from tests.support.services import MemoryServices, another, tone, transcribed, transcript, upload
from tests.support.visits import minutes_pass, run_tasks, visit_of

LATER = [("A", "You have asthma. Please take albuterol twice a day."), ("B", "Thank you.")]
OTHERS = {"replaced": upload(generation=30), "added": another(2)}
REFUSED = Permanent(ErrorCode.SUMMARY_REFUSED)
UNPAID = ProviderRefuses(ErrorCode.SUMMARY_UNAVAILABLE, DeploymentFault.UNPAID)


@pytest.fixture
def services() -> MemoryServices:
    return MemoryServices()


async def summarized(services: MemoryServices) -> Visit:
    await transcribed(services)
    await run_tasks(services)
    visit = await visit_of(services)
    assert visit.source == "model"
    return visit


async def transcribe_later_file(services: MemoryServices, uploaded: Upload) -> None:
    """Upload and transcribe a later file, without a new summary."""
    services.audio.put(uploaded.audio, tone(seconds=2))
    await accept.accept(services, uploaded)
    job = services.transcriber.orders[-1].transcript_id
    services.transcriber.finish(job, Transcribed(transcript(LATER)))
    await collect.collect(services, "visit-1", (await visit_of(services)).attempt, job)


async def cites_only_stored_utterances(services: MemoryServices, visit: Visit) -> bool:
    stored = {each.id for each in await services.store.transcript("visit-1")}
    return all(set(each.evidence) <= stored for each in visit.summary_statements)


@pytest.mark.parametrize("kind", OTHERS)
async def test_a_rule_based_summary_replaces_the_summary_of_an_older_transcript(
    services: MemoryServices, kind: str
) -> None:
    before = await summarized(services)
    await transcribe_later_file(services, OTHERS[kind])
    services.summarizer.raises = [REFUSED] * 10
    await run_tasks(services)
    visit = await visit_of(services)
    assert (visit.status, visit.processing_status) == (Status.COMPLETED, "completed")
    assert (visit.source, visit.provisional) == ("rules", False)
    assert visit.summary != before.summary
    assert [each.name for each in visit.diagnoses] == ["asthma"]
    assert await cites_only_stored_utterances(services, visit)


async def test_a_failed_regeneration_keeps_the_summary_of_an_unchanged_transcript(
    services: MemoryServices,
) -> None:
    before = await summarized(services)
    services.clock.advance(timedelta(hours=1))
    await commands.regenerate(services, "visit-1")
    services.summarizer.raises = [REFUSED] * 10
    await run_tasks(services)
    visit = await visit_of(services)
    assert (visit.source, visit.summary) == ("model", before.summary)
    assert visit.status is Status.COMPLETED


async def test_the_summary_of_a_replaced_transcript_is_removed(services: MemoryServices) -> None:
    before = await summarized(services)
    services.summarizer.raises = [Transient(ErrorCode.SUMMARY_UNAVAILABLE)] * 3
    await transcribe_later_file(services, OTHERS["replaced"])
    await run_tasks(services)
    visit = await visit_of(services)
    assert (visit.processing_status, visit.summary) == (ProcessingStatus.SUMMARIZING, None)
    assert (visit.source, visit.summary_statements, visit.diagnoses) == (None, (), ())
    assert before.summary


async def test_the_summary_stays_until_an_added_file_is_summarized(
    services: MemoryServices,
) -> None:
    before = await summarized(services)
    services.summarizer.raises = [Transient(ErrorCode.SUMMARY_UNAVAILABLE)] * 3
    await transcribe_later_file(services, OTHERS["added"])
    await run_tasks(services)
    visit = await visit_of(services)
    assert (visit.source, visit.summary) == ("model", before.summary)
    assert await cites_only_stored_utterances(services, visit)


@pytest.mark.parametrize("kind", OTHERS)
async def test_the_model_writes_the_summary_after_an_account_fault_of_nine_days(
    services: MemoryServices, kind: str
) -> None:
    """During an account fault a rule-based summary is provisional; the model replaces it."""
    await summarized(services)
    services.summarizer.raises = [UNPAID] * 2_000
    await transcribe_later_file(services, OTHERS[kind])
    for _ in range(9 * 24):
        services.clock.advance(timedelta(hours=1))
        await minutes_pass(services, 1)
        visit = await visit_of(services)
        assert visit.processing_status is ProcessingStatus.SUMMARIZING
        assert visit.source != "rules" or visit.provisional
    services.summarizer.raises = []
    await minutes_pass(services, 30)
    visit = await visit_of(services)
    assert (visit.status, visit.source, visit.provisional) == (Status.COMPLETED, "model", False)
