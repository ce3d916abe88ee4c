"""Upload the files of a visit in memory, and end their transcription jobs."""

from lumimd.domain.audio import Upload
from lumimd.domain.transcript import Utterance
from lumimd.domain.visit import Status, Visit
from lumimd.pipeline import accept as accepting
from lumimd.pipeline import collect
from lumimd.ports.transcriber import Failed, Transcribed
from tests.support.services import MemoryServices, tone, transcript, upload
from tests.support.visits import minutes_pass, run_tasks, visit_of

FIRST = (("A", "Good morning."), ("B", "I have a cough, doctor."))
SECOND = (("A", "Take amoxicillin."), ("B", "Thank you."))


def put(services: MemoryServices, uploaded: Upload, content: bytes | None = None) -> Upload:
    services.audio.put(uploaded.audio, tone(seconds=2) if content is None else content)
    return uploaded


async def accept(services: MemoryServices, uploaded: Upload, content: bytes | None = None) -> None:
    await accepting.accept(services, put(services, uploaded, content))


async def finish(
    services: MemoryServices, state: Transcribed | Failed | None = None, minutes: float = 3
) -> Visit:
    """End the job that was submitted last, and let the pipeline process the visit."""
    job = services.transcriber.orders[-1].transcript_id
    services.transcriber.finish(job, state or Transcribed(transcript(FIRST)))
    visit = await visit_of(services)
    await collect.collect(services, "visit-1", visit.attempt, job)
    await run_tasks(services)
    await minutes_pass(services, minutes)
    return await visit_of(services)


async def completed(services: MemoryServices) -> Visit:
    await accept(services, upload())
    visit = await finish(services)
    assert visit.status is Status.COMPLETED
    return visit


def shown(visit: Visit) -> dict[str, object]:
    """Return the fields of a completed visit that its owner sees."""
    fields = ("status", "processing_status", "summary", "action_ids", "transcription", "audio")
    more = ("diagnoses", "medications", "source", "transcript_pages", "progress_percent")
    return {name: getattr(visit, name) for name in (*fields, *more)}


def texts(utterances: tuple[Utterance, ...]) -> list[str]:
    return [each.text for each in utterances]
