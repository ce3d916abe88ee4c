"""No visit in progress is lost while the code changes between this and the previous release.

The code of the previous release comes from the git history of this checkout.
"""

import json
from pathlib import Path

import pytest

from lumimd.domain.audio import Upload
from lumimd.domain.visit import Lease, ProcessingStatus, Status, Visit
from lumimd.pipeline import accept, commands
from lumimd.policies.deployment import Policy
from lumimd.policies.permits import Cap
from tests.release import either_release
from tests.release.conftest import PreviousRelease
from tests.release.either_release import STATES, STEPS, Saved, carry, the, world
from tests.support.services import START, MemoryServices

AT_ITS_END = {
    "cancelled": Status.CANCELLED,
    "failed": Status.FAILED,
    "partial": Status.PARTIAL,
}


async def queued(services: MemoryServices, visit_id: str) -> None:
    """Leave a visit that waits for a permit with a turn, which the previous release cannot read."""
    services.cap = Cap(permits=1, for_batches=1)
    assert (
        await services.admission.may_submit(visit_of(services.upload("visit-of-another"))) is None
    )
    await accept.accept(services, services.upload(visit_id))


def visit_of(upload: Upload) -> Visit:
    return Visit(
        visit_id=upload.visit_id,
        user_id=upload.user_id,
        created_at=START,
        updated_at=START,
        audio=upload.audio,
        lease=Lease(holder="worker-1", until=START),
    )


async def without_consent(services: MemoryServices, visit_id: str) -> None:
    services.policy = Policy(requires_consent=True)
    await accept.accept(services, services.upload(visit_id))


@pytest.fixture
async def in_flight(tmp_path: Path) -> list[Path]:
    """Write a visit of this release in every state that has a recording, and return the files."""
    paths = []
    for state in sorted(set(STATES) - {"created-by-client"}):
        services = MemoryServices()
        await STATES[state](services, f"visit-{state}")
        if state not in AT_ITS_END:
            await commands.give_consent(services, f"visit-{state}")
        paths.append(tmp_path / f"{state}.json")
        either_release.of(services).write(paths[-1])
    return paths


async def carried_here(path: Path, steps: int = STEPS) -> MemoryServices:
    services = world(Saved.read(path))
    await carry(services, Saved.read(path).visit_id, steps)
    either_release.of(services).write(path)
    return services


@pytest.mark.parametrize("steps", [1, 2], ids=["every other step", "every third step"])
async def test_no_visit_is_lost_when_the_code_changes_back_and_forth(
    steps: int, in_flight: list[Path], previous_release: PreviousRelease
) -> None:
    words = {path: len(Saved.read(path).documents) for path in in_flight}
    for _ in range(2):
        previous_release("carry", steps, *in_flight)
        for path in in_flight:
            await carried_here(path, steps=1)
    for path in in_flight:
        await assert_is_done(await carried_here(path), path)
        assert len(Saved.read(path).documents) >= words[path]


async def test_the_previous_release_completes_the_visits_of_this_release(
    in_flight: list[Path], previous_release: PreviousRelease
) -> None:
    previous_release("carry", STEPS, *in_flight)
    for path in in_flight:
        saved = Saved.read(path)
        await assert_is_done(world(saved), path)
        if path.stem not in AT_ITS_END:
            assert saved.documents[f"visits/{saved.visit_id}"]["consent"], (
                "an unknown field is kept"
            )


async def assert_is_done(services: MemoryServices, path: Path) -> None:
    saved = Saved.read(path)
    visit = await the(services, saved.visit_id)
    assert visit.status is AT_ITS_END.get(path.stem, Status.COMPLETED)
    assert len({order["transcriptId"] for order in saved.orders}) == 1, "ordered once"


@pytest.mark.parametrize("reach", [queued, without_consent])
async def test_a_visit_unreadable_for_the_previous_release_is_completed_by_this_release(
    reach: either_release.Reach, tmp_path: Path, previous_release: PreviousRelease
) -> None:
    """The previous release skips a visit with unknown values (docs/releases.md)."""
    path = tmp_path / "visit.json"
    services = MemoryServices()
    await reach(services, "visit-1")
    either_release.of(services).write(path)
    before = path.read_text()
    previous_release("carry", STEPS, path)
    assert path.read_text() == before

    again = world(Saved.read(path))
    if reach is without_consent:
        await commands.give_consent(again, "visit-1")
    visit = await the(again, "visit-1")
    assert visit.processing_status is ProcessingStatus.PENDING
    assert (await carry(again, "visit-1")).status is Status.COMPLETED
    assert len(again.transcriber.orders) == 1


async def test_a_queued_visit_can_be_made_readable_for_the_previous_release(
    tmp_path: Path, previous_release: PreviousRelease
) -> None:
    """The changes are the remedy of docs/releases.md for a permanent rollback."""
    path = tmp_path / "visit.json"
    services = MemoryServices()
    await queued(services, "visit-1")
    saved = either_release.of(services)
    saved.documents["visits/visit-1"] |= {"turn": None, "currentStep": "audio_received"}
    saved.write(path)
    previous_release("carry", STEPS, path)
    assert Saved.read(path).documents["visits/visit-1"]["status"] == "completed"


def test_the_docs_name_the_values_that_a_rollback_makes_unreadable(
    previous_release: PreviousRelease,
) -> None:
    added = set(either_release.values()) - set(json.loads(previous_release("values")))
    page = (Path(__file__).parents[2] / "docs" / "releases.md").read_text()
    assert {value for value in either_release.values() if f"`{value}`" in page} == added
