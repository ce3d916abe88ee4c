"""`scripts/ops --project` works on the emulators without the secrets of a deployment."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from infra.ops.cli import parser, run
from infra.ops.connection import Connection, OperatorsServices, cloud
from infra.ops.exits import FAILED, OK
from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Commit
from lumimd.domain.dead_letter import DeadLetter
from lumimd.domain.errors import Transient
from lumimd.domain.visit import (
    ProcessingError,
    ProcessingStatus,
    Stage,
    Status,
    Transcription,
    Visit,
)
from lumimd.runtime.settings import variables
from tests.support.object_holds import object_holds
from tests.support.operators import CANARY
from tests.support.services import upload

NOW = datetime.now(UTC)


def partial() -> Visit:
    """Return a visit with a transcript and a failed summary."""
    hour_ago = NOW - timedelta(hours=1)
    return Visit(
        visit_id="v1",
        user_id="u1",
        title=f"about {CANARY}",
        audio=upload("v1").audio,
        status=Status.PARTIAL,
        processing_status=ProcessingStatus.FAILED,
        processing_error=ProcessingError.of(ErrorCode.SUMMARY_UNAVAILABLE, Stage.SUMMARY),
        transcription=Transcription(
            provider="assemblyai",
            transcript_id="job-1",
            submitted_at=hour_ago,
            completed_at=hour_ago,
            pages=1,
        ),
        created_at=hour_ago,
        updated_at=hour_ago,
    )


@pytest.mark.emulator
async def test_without_secrets_an_operator_can_hold_release_delete_and_run_after_restore(
    firestore_host: str,
    storage_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in variables():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "set-by-cloud")
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_host)
    with object_holds(storage_url) as url:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
        services = cloud(f"demo-{uuid.uuid4().hex[:12]}", "us-central1").services
        visit = partial()
        assert visit.audio
        await services.store.create(Commit(visit))
        folder = f"visits/{visit.user_id}/{visit.visit_id}/"
        path = f"visits/{visit.user_id}/{visit.visit_id}/audio.m4a"
        async with httpx.AsyncClient(base_url=url) as http:
            await http.post("/storage/v1/b", json={"name": visit.audio.bucket})
            await http.post(
                f"/upload/storage/v1/b/{visit.audio.bucket}/o",
                params={"uploadType": "media", "name": path},
                content=b"evidence",
            )

        async def ops(*arguments: str, code: int = OK) -> dict[str, object]:
            wanted = parser().parse_args([*arguments, "--json", "--yes"])
            connection = Connection(services, "the test", ())
            ended = await run(wanted, connection, "olga", Console(stderr=True))
            printed = capsys.readouterr()
            assert ended == code, printed.err
            return json.loads(printed.out) if printed.out else {}  # type: ignore[no-any-return]

        assert (await ops("hold", "v1", "--reason", "case 17"))["legalHold"]
        await ops("retry", "v1", code=FAILED)
        await ops("delete", "v1", code=FAILED)
        with pytest.raises(Transient):
            await services.audio.erase(visit.audio.bucket, folder)
        assert not (await ops("release", "v1", "--reason", "closed"))["legalHold"]
        await ops("delete", "v1")
        await services.store.database._client.document("visits/v1").set(visit.to_stored())  # type: ignore[attr-defined]
        assert (await ops("after-restore", "--since", "1d"))["deleted"] == ["v1"]
        assert await services.audio.erase(visit.audio.bucket, folder) == 1


@pytest.mark.emulator
async def test_without_secrets_an_operator_can_list_retry_and_discard(
    firestore_host: str,
    tasks_host: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    for name in variables():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "set-by-cloud")
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_host)
    monkeypatch.setenv("CLOUD_TASKS_EMULATOR_HOST", tasks_host)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "missing.json"))
    connection = cloud(f"demo-{uuid.uuid4().hex[:12]}", "us-central1")
    services = connection.services
    assert isinstance(services, OperatorsServices)
    visit = partial()
    other = visit.model_copy(update={"visit_id": "v2"})
    for each in (visit, other):
        await services.store.create(Commit(each, dead_letter=DeadLetter.of(each, each.updated_at)))

    async def ops(*arguments: str, code: int = OK) -> dict[str, object]:
        wanted = parser().parse_args([*arguments, "--json"])
        ended = await run(wanted, connection, "olga", Console(stderr=True))
        printed = capsys.readouterr()
        assert ended == code, printed.err
        assert CANARY not in printed.out + printed.err
        return json.loads(printed.out) if printed.out else {}  # type: ignore[no-any-return]

    assert len((await ops("visits", "--failed"))["visits"]) == 2  # type: ignore[arg-type]
    assert len((await ops("dead-letters", "--code", "summary_unavailable"))["deadLetters"]) == 2  # type: ignore[arg-type]
    assert (await ops("retry", "v1", "--yes"))["processingStatus"] == "summarizing"
    await ops("retry", "v1", "--yes", code=FAILED)
    discarded = await ops("discard", "v2", "--reason", "never mind", "--yes")
    assert discarded["discardReason"] == "never mind"
    assert (await ops("dead-letters"))["deadLetters"] == []
    assert (await ops("queues", "pause", "no-such-queue", "--yes", code=FAILED)) == {}
    # The scheduler has no emulator, and this test has no account for Cloud Scheduler.
    diagnosis = await ops("doctor", code=FAILED)
    levels = {each["subject"]: each["level"] for each in diagnosis["findings"]}  # type: ignore[index, attr-defined]
    assert levels["scheduler"] == levels["configuration"] == "problem"
    for subject in ("store", "breaker: model", "breaker: transcription"):
        assert levels[subject] == "ok", diagnosis
    log = (await ops("audit", "--of", "v1"))["entries"]
    assert [entry["outcome"] for entry in log] == ["refused", "done"]  # type: ignore[index, attr-defined]
