"""Write visits with one release, and continue the visits with another release.

This script runs with the code of any release on the path, so that it imports no other test, and
from the pipeline only names that exist since the first schema version:

    either_release.py write DIR              a visit in every state, one JSON file each
    either_release.py carry STEPS FILE...    at most STEPS wake-ups, until the visits have ended
    either_release.py values                 the values of every enumeration of this release

PYTHONPATH selects the release: its root and its `functions`. Files have instants as ISO strings.
"""

import asyncio
import json
import re
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import ValidationError

if find_spec("lumimd.domain") is None:  # the folder of this script is on the path
    from before_rooms import name_as_now

    name_as_now()

from lumimd.adapters.memory import ManualClock
from lumimd.adapters.memory.transcriber import Order
from lumimd.domain.audio import Audio
from lumimd.domain.clinical import Source, VisitSummary
from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Commit
from lumimd.domain.errors import Held, Permanent, Transient
from lumimd.domain.progress import Step
from lumimd.domain.transcript import Transcript
from lumimd.domain.visit import ProcessingStatus, Stage, Status, Visit, VisitKind
from lumimd.pipeline import accept, recover, summarize
from lumimd.ports.transcriber import Failed, Running, Transcribed
from tests.support.services import START, MemoryServices, tone, transcript

AWAY = ErrorCode.SUMMARY_UNAVAILABLE
NOT_NOW = ErrorCode.TRANSCRIPTION_UNAVAILABLE
STEPS = 200
"""The number of wake-ups after which a visit counts as stuck."""

Reach = Callable[[MemoryServices, str], Awaitable[None]]
"""A function that brings the visit with the given id into one state."""

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")


@dataclass
class Saved:
    """The documents of a visit by path, and the jobs of the visit at the provider."""

    documents: dict[str, dict[str, Any]]
    orders: list[dict[str, Any]]

    @property
    def visit_id(self) -> str:
        (path,) = (p for p in self.documents if p.startswith("visits/") and p.count("/") == 1)
        return path.removeprefix("visits/")

    @classmethod
    def read(cls, path: Path) -> "Saved":
        return cls(**json.loads(path.read_text()))

    def write(self, path: Path) -> None:
        text = json.dumps(asdict(self), default=_plain, indent=1, sort_keys=True)
        path.write_text(text + "\n")


def of(services: MemoryServices) -> Saved:
    """Return the current documents and orders of the services."""
    orders = [
        {
            "transcriptId": order.transcript_id,
            "audioUrl": order.audio_url,
            "visitId": order.visit_id,
            "attempt": order.attempt,
            "state": type(order.state).__name__,
        }
        for order in services.transcriber.orders
    ]
    documents = json.loads(json.dumps(dict(_database(services)), default=_plain))
    return Saved(documents, orders)


def world(saved: Saved) -> MemoryServices:
    """Return services that contain the saved visit, its orders and its recording."""
    documents = {path: instants(stored) for path, stored in saved.documents.items()}
    visit = documents[f"visits/{saved.visit_id}"]
    services = MemoryServices(clock=ManualClock(visit["updatedAt"]))
    for path, stored in documents.items():
        _database(services)[path] = stored
        if hasattr(services.store, "_versions"):  # earlier releases keep the versions apart
            services.store._versions[path] = next(services.store._next_version)
    if visit["audio"] is not None:
        services.audio.put(Audio.from_stored(visit["audio"]), tone(seconds=2))
    for order in saved.orders:
        fields = order["transcriptId"], order["audioUrl"], order["visitId"], order["attempt"]
        services.transcriber.orders.append(Order(*fields, _state(order["state"])))
    return services


def _database(services: MemoryServices) -> Any:
    """Return all documents by path, from the attribute that this release has."""
    return services.store.raw if hasattr(services.store, "raw") else services.store._documents


def instants(stored: Any) -> Any:
    """Return the document with ISO strings replaced by `datetime`, as in the store."""
    if isinstance(stored, dict):
        return {name: instants(value) for name, value in stored.items()}
    if isinstance(stored, list):
        return [instants(value) for value in stored]
    if isinstance(stored, str) and _INSTANT.fullmatch(stored):
        return datetime.fromisoformat(stored)
    return stored


async def carry(services: MemoryServices, visit_id: str, steps: int = STEPS) -> Visit:
    """Let the provider answer and the poller run until the visit has ended."""
    for _ in range(steps):
        while not services.tasks.waiting.empty():
            task = services.tasks.waiting.get_nowait()
            await summarize.summarize(services, task.visit_id, task.attempt)
        visit = await the(services, visit_id)
        if visit.processing_status.is_terminal or visit.wake_at is None:
            return visit
        for order in services.transcriber.orders:
            if isinstance(order.state, Running):
                order.state = Transcribed(transcript())
        services.clock.advance(max(visit.wake_at - services.clock.now(), timedelta(seconds=1)))
        await recover.wake_due(services)
    if steps == STEPS:
        raise AssertionError(f"{visit_id} never ends")
    return await the(services, visit_id)


async def the(services: MemoryServices, visit_id: str) -> Visit:
    stored = await services.store.get(visit_id)
    assert stored is not None
    return stored.visit


async def created(services: MemoryServices, visit_id: str) -> None:
    visit = Visit(visit_id=visit_id, user_id="user-1", created_at=START, updated_at=START)
    await services.store.create(Commit(visit))


async def leased(services: MemoryServices, visit_id: str) -> None:
    """Leave a visit whose worker crashed after it took the lease and before the order."""
    ordering = asyncio.Event()

    async def never(*_: object, **__: object) -> str:
        ordering.set()
        await asyncio.Event().wait()
        raise AssertionError

    services.transcriber.submit = never  # type: ignore[method-assign]
    accepting = asyncio.create_task(accept.accept(services, services.upload(visit_id)))
    await ordering.wait()
    accepting.cancel()
    await asyncio.wait([accepting])


async def leased_and_ordered(services: MemoryServices, visit_id: str) -> None:
    """Leave a visit whose worker crashed after the order and before it saved the job's id."""
    await leased(services, visit_id)
    audio = (await the(services, visit_id)).audio
    assert audio is not None
    url = await services.audio.signed_url(audio, timedelta(hours=1))
    services.transcriber.orders.append(Order("job-0", url, visit_id, 1, Running()))


def refused_by_provider(error: Exception) -> Reach:
    async def submission(services: MemoryServices, visit_id: str) -> None:
        async def refuses(*_: object, **__: object) -> str:
            raise error

        services.transcriber.submit = refuses  # type: ignore[method-assign]
        await accept.accept(services, services.upload(visit_id))

    return submission


async def transcribing(services: MemoryServices, visit_id: str) -> None:
    await accept.accept(services, services.upload(visit_id))


def job_ended(
    state: Transcribed | Failed | None,
) -> Reach:
    async def ended(services: MemoryServices, visit_id: str) -> None:
        await transcribing(services, visit_id)
        (order,) = services.transcriber.orders
        if state is None:
            services.transcriber.orders.clear()  # the provider has lost the job
        else:
            order.state = state
        services.clock.advance(timedelta(minutes=1))
        await recover.wake_due(services)

    return ended


async def summarizing(services: MemoryServices, visit_id: str) -> None:
    """Leave a visit that waits for a summary whose task is lost with the queue of this release."""
    await job_ended(Transcribed(transcript()))(services, visit_id)


def summarized(*troubles: Exception, after: timedelta = timedelta()) -> Reach:
    async def attempted(services: MemoryServices, visit_id: str) -> None:
        await summarizing(services, visit_id)
        services.summarizer.raises = list(troubles)
        services.clock.advance(after)
        task = services.tasks.waiting.get_nowait()
        await summarize.summarize(services, task.visit_id, task.attempt)

    return attempted


class NothingToSay:
    """A stub fallback that fails; releases without a fallback ignore it."""

    source: Source = "rules"

    async def summarize(self, transcript: Transcript) -> VisitSummary:
        raise Permanent(ErrorCode.SUMMARY_INVALID)


async def partial(services: MemoryServices, visit_id: str) -> None:
    services.fallback = NothingToSay()
    await summarized(Permanent(ErrorCode.SUMMARY_REFUSED))(services, visit_id)


async def cancelled(services: MemoryServices, visit_id: str) -> None:
    """Cancel by an event, because releases have the cancel command in different modules."""
    from lumimd.domain.events import VisitCancelled
    from lumimd.pipeline.save import save_event

    await transcribing(services, visit_id)
    stored = await services.store.get(visit_id)
    assert stored is not None
    await save_event(services, stored, VisitCancelled(None))


STATES: dict[str, Reach] = {
    "created-by-client": created,
    "claimed": leased,
    "claimed-and-ordered": leased_and_ordered,
    "submission-deferred": refused_by_provider(Transient(NOT_NOW)),
    "submission-held": refused_by_provider(Held(NOT_NOW)),
    "transcribing": transcribing,
    "job-lost": job_ended(None),
    "failed": job_ended(Failed(ErrorCode.TRANSCRIPTION_FAILED, is_transient=False)),
    "summarizing-task-lost": summarizing,
    "summary-deferred": summarized(Transient(AWAY)),
    "summary-held": summarized(Held(AWAY)),
    "summary-provisional": summarized(Held(AWAY), after=timedelta(minutes=11)),
    "partial": partial,
    "completed": summarized(),
    "cancelled": cancelled,
}


async def write(folder: Path) -> None:
    """Write one file per state, each with a visit in that state."""
    for state, reach in STATES.items():
        services = MemoryServices()
        await reach(services, f"visit-{state}")
        of(services).write(folder / f"{state}.json")


async def carry_file(path: Path, steps: int) -> None:
    """Continue the visit of the file, and write the result into the same file.

    As in the real store, a save keeps fields that this release does not know, and the release skips
    a visit that it cannot read.
    """
    before = Saved.read(path)
    services = world(before)
    try:
        await carry(services, before.visit_id, steps)
    except ValidationError:
        return
    after = of(services)
    visit = f"visits/{before.visit_id}"
    after.documents[visit] = before.documents[visit] | after.documents[visit]
    after.write(path)


def values() -> list[str]:
    """Return every value of the enumerations of a visit, as `Enumeration.value`."""
    enumerations = (ErrorCode, ProcessingStatus, Stage, Status, Step, VisitKind)
    return [f"{kind.__name__}.{value}" for kind in enumerations for value in kind]


def _state(name: str) -> Running | Transcribed | Failed:
    if name == "Transcribed":
        return Transcribed(transcript())
    if name == "Failed":
        return Failed(ErrorCode.TRANSCRIPTION_FAILED, is_transient=False)
    return Running()


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else str(value)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["write", folder]:
            asyncio.run(write(Path(folder)))
        case ["values"]:
            print(json.dumps(values()))
        case ["carry", steps, *files]:
            for file in files:
                asyncio.run(carry_file(Path(file), int(steps)))
        case _:
            sys.exit(__doc__)
