"""A summary is of the words that are stored: of all files, and of none that was replaced."""

from datetime import timedelta

import pytest

from lumimd.domain.audio import Upload
from lumimd.domain.errors import DeploymentFault, ErrorCode, Permanent, ProviderRefuses, Transient
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


async def hears(services: MemoryServices, uploaded: Upload) -> None:
    """A later file comes and is transcribed; its summary is not made yet."""
    services.audio.put(uploaded.audio, tone(seconds=2))
    await accept.accept(services, uploaded)
    job = services.transcriber.orders[-1].transcript_id
    services.transcriber.finish(job, Transcribed(transcript(LATER)))
    await collect.collect(services, "visit-1", (await visit_of(services)).attempt, job)


async def cites_what_is_stored(services: MemoryServices, visit: Visit) -> bool:
    said = {each.id: each.text for each in await services.store.transcript("visit-1")}
    return all(set(each.evidence) <= set(said) for each in visit.summary_statements)


@pytest.mark.parametrize("which", OTHERS)
async def test_a_summary_of_other_words_does_not_stand_for_them(
    services: MemoryServices, which: str
) -> None:
    before = await summarized(services)
    await hears(services, OTHERS[which])
    services.summarizer.raises = [REFUSED] * 10
    await run_tasks(services)
    visit = await visit_of(services)
    assert (visit.status, visit.processing_status) == (Status.COMPLETED, "completed")
    assert (visit.source, visit.provisional) == ("rules", False)
    assert visit.summary != before.summary
    assert [each.name for each in visit.diagnoses] == ["asthma"]
    assert await cites_what_is_stored(services, visit)


async def test_a_summary_of_the_same_words_stays(services: MemoryServices) -> None:
    before = await summarized(services)
    services.clock.advance(timedelta(hours=1))
    await commands.regenerate(services, "visit-1")
    services.summarizer.raises = [REFUSED] * 10
    await run_tasks(services)
    visit = await visit_of(services)
    assert (visit.source, visit.summary) == ("model", before.summary)
    assert visit.status is Status.COMPLETED


async def test_results_of_replaced_words_are_shown_no_longer_than_the_words(
    services: MemoryServices,
) -> None:
    before = await summarized(services)
    services.summarizer.raises = [Transient(ErrorCode.SUMMARY_UNAVAILABLE)] * 3
    await hears(services, OTHERS["replaced"])
    await run_tasks(services)
    visit = await visit_of(services)
    assert (visit.processing_status, visit.summary) == (ProcessingStatus.SUMMARIZING, None)
    assert (visit.source, visit.summary_statements, visit.diagnoses) == (None, (), ())
    assert before.summary


async def test_results_stay_while_a_file_that_is_added_waits_for_its_summary(
    services: MemoryServices,
) -> None:
    before = await summarized(services)
    services.summarizer.raises = [Transient(ErrorCode.SUMMARY_UNAVAILABLE)] * 3
    await hears(services, OTHERS["added"])
    await run_tasks(services)
    visit = await visit_of(services)
    assert (visit.source, visit.summary) == ("model", before.summary)
    assert await cites_what_is_stored(services, visit)


@pytest.mark.parametrize("which", OTHERS)
async def test_a_fault_of_days_leaves_the_summary_to_the_model(
    services: MemoryServices, which: str
) -> None:
    """Neither given up nor final while the fault lasts; the model's answer replaces all."""
    await summarized(services)
    services.summarizer.raises = [UNPAID] * 2_000
    await hears(services, OTHERS[which])
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
