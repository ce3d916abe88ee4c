"""Follow the runbook `restore-from-backup` line by line on the Firestore emulator.

The test takes a backup, then damages, deletes and legally holds visits, and follows the runbook to
its end. Every command must exit with 0. Cloud-only commands have stand-ins: the emulator exports
the backup, and a second emulator that starts from the export is the restored database.
"""

import os
import shlex
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.cloud import firestore
from rich.console import Console

from infra.local.emulators import firestore_command
from infra.local.supervision.ports import free_ports
from infra.local.supervision.processes import Process
from infra.local.supervision.ready import http_ok
from infra.ops.cli import parser, run
from infra.ops.connection import Connection
from infra.ops.exits import OK
from lumimd.adapters.firestore.database import FirestoreDatabase
from lumimd.adapters.memory.controls import MemoryQueues, MemorySchedules
from lumimd.domain.visit import ProcessingStatus
from lumimd.operations import legal_hold
from lumimd.operations.operator import Operator
from lumimd.pipeline import accept, commands, recover
from lumimd.policies.deployment import Policy
from lumimd.ports.service_controls import RunState
from lumimd.stores.deletions import Deletions
from lumimd.stores.operator_store import OperatorStore
from lumimd.stores.retention_queries import RetentionQueries
from lumimd.stores.visit_store import VisitStore
from tests.monitoring.runbooks import FOLDER
from tests.monitoring.runbooks import commands as lines_of
from tests.support.operators import OperatedServices
from tests.support.servers import running
from tests.support.services import tone

pytestmark = pytest.mark.emulator

RESTORED = ("visits", "transcript", "history", "actions")
DAMAGED, DELETED, SWEPT, HELD, UNDER_WAY = "damaged", "deleted", "swept", "held", "under-way"


class Rehearsal:
    """The database with its backup, and the stand-ins for cloud-only commands."""

    def __init__(self, host: str, folder: Path, stack: ExitStack) -> None:
        self.host, self.folder, self._stack = host, folder, stack
        self.project = f"demo-{uuid.uuid4().hex[:12]}"
        self.client = firestore.AsyncClient(project=self.project)
        self.services = OperatedServices(policy=Policy(bucket="recordings", requires_consent=False))
        assert self.services.admission  # admission stays in memory and has a permit for every visit
        self.services.store = VisitStore(FirestoreDatabase(lambda: self.client))  # type: ignore[assignment]
        self.services.deletions = Deletions(FirestoreDatabase(lambda: self.client))  # type: ignore[assignment]
        self.services.retention_queries = RetentionQueries(FirestoreDatabase(lambda: self.client))  # type: ignore[assignment]
        self.services.__dict__["operators"] = OperatorStore(FirestoreDatabase(lambda: self.client))
        self.services.queues = MemoryQueues("summaries")
        self.services.schedules = MemorySchedules("wake-due-visits", "enforce-retention")
        self.beside: firestore.AsyncClient | None = None
        self.stood_in: list[str] = []

    async def back_up(self) -> None:
        async with httpx.AsyncClient(base_url=f"http://{self.host}") as http:
            answer = await http.post(
                f"/emulator/v1/projects/{self.project}:export",
                json={
                    "database": f"projects/{self.project}/databases/(default)",
                    "export_directory": str(self.folder),
                    "export_name": "backup",
                },
            )
        answer.raise_for_status()

    async def restore_beside(self) -> None:
        """Start a second emulator whose database is the restored backup."""
        (made,) = self.folder.glob("**/*.overall_export_metadata")
        (port,) = free_ports({"restored": 0}).values()
        command = firestore_command(port=port, project=self.project, env=os.environ)
        emulator = Process(
            name="restored",
            argv=(*command, f"--seed_from_export={made}"),
            ready=http_ok(f"http://127.0.0.1:{port}/"),
        )
        self._stack.enter_context(running([emulator], self.folder / "restored"))
        before = os.environ["FIRESTORE_EMULATOR_HOST"]
        os.environ["FIRESTORE_EMULATOR_HOST"] = f"127.0.0.1:{port}"
        self.beside = firestore.AsyncClient(project=self.project)
        os.environ["FIRESTORE_EMULATOR_HOST"] = before

    async def bring_back(self) -> None:
        """Overwrite documents with their versions from the backup, as the import does."""
        assert self.beside is not None
        for collection in RESTORED:
            async for found in self.beside.collection_group(collection).stream():
                await self.client.document(found.reference.path).set(found.to_dict())

    async def restore_recording(self) -> None:
        audio = self.services.upload(DAMAGED).audio
        self.services.audio.put(audio, tone(seconds=2))

    async def nothing(self) -> None:
        """Do nothing, in place of a command whose effect the rehearsal does not need."""

    def stand_in(self, line: str) -> Callable[[], Awaitable[None]]:
        """Return the stand-in for a cloud-only command; a command without a stand-in raises."""
        stand_ins = {
            "gcloud firestore databases clone": self.nothing,  # the runbook offers two ways
            "gcloud firestore backups list": self.nothing,
            "gcloud firestore databases restore": self.restore_beside,
            "gcloud firestore export": self.nothing,
            "gcloud firestore import": self.bring_back,
            "gcloud logging read": self.nothing,
            "gcloud storage ls": self.nothing,
            "gcloud storage restore": self.restore_recording,
            "gcloud firestore databases delete": self.nothing,
            "gcloud storage rm": self.nothing,
        }
        (found,) = (each for words, each in stand_ins.items() if line.startswith(words + " "))
        self.stood_in.append(line)
        return found

    async def minutes_pass(self) -> None:
        for _ in range(3):
            self.services.clock.advance(timedelta(minutes=5))
            await recover.wake_due(self.services)

    async def documents_of(self, visit_id: str) -> dict[str, Any]:
        stored = await self.services.store.get(visit_id)
        assert stored
        return {
            "visit": stored.visit,
            "transcript": await self.services.store.transcript(visit_id),
            "actions": await self.services.store.actions(visit_id),
        }


@pytest.fixture
async def rehearsal(
    firestore_host: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> AsyncIterator[Rehearsal]:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_host)
    with ExitStack() as stack:
        made = Rehearsal(firestore_host, tmp_path, stack)
        yield made
        made.client.close()


async def test_the_restore_runbook_restores_damaged_visits_and_no_deleted_visit(
    rehearsal: Rehearsal, capsys: pytest.CaptureFixture[str]
) -> None:
    services = rehearsal.services
    olga = Operator("olga", services)
    for visit_id in (DAMAGED, DELETED, SWEPT, HELD):
        await services.completed(visit_id)
    await accept.accept(services, services.uploaded_now(UNDER_WAY))
    orders = len(services.transcriber.orders)
    good = await rehearsal.documents_of(DAMAGED)
    await rehearsal.back_up()

    services.clock.advance(timedelta(minutes=30))
    await legal_hold.hold(olga, HELD, reason="case 17")
    await commands.delete(services, SWEPT)
    await rehearsal.minutes_pass()
    await commands.delete(services, DELETED)  # its sweep has not run yet
    nonsense = {"summary": "nonsense", "title": "nonsense"}
    await rehearsal.client.document(f"visits/{DAMAGED}").update(nonsense)
    await rehearsal.client.document(f"visits/{DAMAGED}/transcript/000000").delete()

    for command in lines_of(FOLDER / "restore-from-backup.md"):
        if command.cloud_only:
            await rehearsal.stand_in(command.line)()
            continue
        wanted = parser().parse_args(["--yes", *command.arguments(VISIT=DAMAGED)])
        connection = Connection(services, "the rehearsal", ())
        ended = await run(wanted, connection, "olga", Console(stderr=True))
        printed = capsys.readouterr()
        assert ended == OK, f"{shlex.join([command.line])}: {printed.err}"
        if "schedule run" in command.line:
            await rehearsal.minutes_pass()

    assert len(rehearsal.stood_in) >= 8
    restored = await rehearsal.documents_of(DAMAGED)
    assert restored == good
    for visit_id in (DELETED, SWEPT):
        assert await services.store.get(visit_id) is None
        assert not await services.deletions.remains(visit_id)
        found = await services.deletions.get(visit_id)
        assert found
        assert found[0].completed_at
    held = (await rehearsal.documents_of(HELD))["visit"]
    assert held.legal_hold
    assert (held.audio.storage_path, held.audio.generation) in services.audio.held
    under_way = (await rehearsal.documents_of(UNDER_WAY))["visit"]
    assert under_way.processing_status is ProcessingStatus.TRANSCRIBING
    assert len(services.transcriber.orders) == orders
    assert {each.state for each in await services.schedules.all()} == {RunState.RUNNING}
    assert {each.state for each in await services.queues.all()} == {RunState.RUNNING}
