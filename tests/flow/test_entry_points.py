"""Each entry point has the right effect and response when the platform or provider calls it."""

import asyncio
import io
from datetime import timedelta

import pytest

from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Transient
from lumimd.domain.visit import ProcessingStatus, Status, Visit
from lumimd.pipeline import collect
from lumimd.ports.transcriber import Transcribed
from lumimd.runtime import settings
from lumimd.telemetry import logs
from tests.flow.conftest import PREVIOUS_SECRET, Functions
from tests.support.services import transcript, upload

PROVIDER = "44.238.19.20"


async def visit_of(functions: Functions, visit_id: str = "visit-1") -> Visit:
    stored = await functions.services.store.get(visit_id)
    assert stored
    return stored.visit


async def submitted(functions: Functions) -> None:
    assert (await functions.finalize(functions.services.upload())).status_code == 200
    functions.services.transcriber.finish("job-0", Transcribed(transcript()))


async def test_a_visit_goes_from_upload_to_summary(functions: Functions) -> None:
    await submitted(functions)
    assert (await functions.webhook()).status_code == 200
    await functions.run_tasks()
    assert (await visit_of(functions)).status is Status.COMPLETED


async def test_twenty_parallel_deliveries_of_an_event_create_one_visit_and_one_order(
    functions: Functions,
) -> None:
    uploaded = functions.services.upload()
    replies = await asyncio.gather(*(functions.finalize(uploaded) for _ in range(20)))
    assert {reply.status_code for reply in replies} == {200}
    assert len(functions.services.transcriber.orders) == 1
    visits = [path for path in functions.services.store.documents() if path.count("/") == 1]
    assert visits == ["visits/visit-1"]


async def test_concurrent_webhook_poller_and_repeated_task_make_one_summary(
    functions: Functions,
) -> None:
    await submitted(functions)
    functions.services.clock.advance(timedelta(minutes=1))
    replies = await asyncio.gather(
        *(functions.webhook() for _ in range(17)),
        *(functions.wake() for _ in range(17)),
        *(functions.summarize() for _ in range(16)),
    )
    assert {reply.status_code for reply in replies} == {200}
    await functions.run_tasks()
    assert functions.services.summarizer.calls == 1
    assert len(await functions.services.store.actions("visit-1")) == 2


@pytest.mark.parametrize("secret", [None, "", "wrong", "the-present-webhook-secreT"])
async def test_a_webhook_with_a_missing_or_wrong_secret_is_401_before_any_read(
    functions: Functions, secret: str | None
) -> None:
    await submitted(functions)
    functions.services.store.get = _must_not_be_called  # type: ignore[method-assign,assignment]
    assert (await functions.webhook(secret=secret)).status_code == 401


def _must_not_be_called(*_: object) -> None:
    raise AssertionError("nothing may be read for a stranger")


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (("203.0.113.9", PROVIDER), 200),
        (("203.0.113.9", f"198.51.100.7, {PROVIDER}"), 200),
        ((PROVIDER, "203.0.113.9"), 401),
        ((PROVIDER, PROVIDER, "198.51.100.7, 203.0.113.9"), 401),
        ((PROVIDER, ""), 401),
        ((), 401),
    ],
)
async def test_a_webhook_is_checked_by_the_last_address_of_x_forwarded_for(
    functions: Functions, monkeypatch: pytest.MonkeyPatch, lines: tuple[str, ...], status: int
) -> None:
    await submitted(functions)
    monkeypatch.setenv("WEBHOOK_ALLOWED_IPS", PROVIDER)
    settings.deployment.cache_clear()
    assert (await functions.webhook(forwarded_for=lines)).status_code == status


async def test_the_previous_webhook_secret_is_accepted_during_a_rotation(
    functions: Functions,
) -> None:
    await submitted(functions)
    assert (await functions.webhook(secret=PREVIOUS_SECRET)).status_code == 200
    assert (await visit_of(functions)).processing_status is ProcessingStatus.SUMMARIZING


async def test_a_forged_webhook_changes_nothing(functions: Functions) -> None:
    await functions.finalize(functions.services.upload())
    before = functions.services.store.documents()
    for forged in (
        {},  # "completed", while the job runs
        {"transcript_id": "somebody-elses-job"},
        {"visit_id": "no-such-visit"},
        {"attempt": 2},
        {"visit_id": "../visit-1"},
        {"transcript_id": "a/b"},
    ):
        assert (await functions.webhook(**forged)).status_code == 200
    assert functions.services.store.documents() == before


async def test_a_webhook_during_a_provider_outage_is_503(functions: Functions) -> None:
    await submitted(functions)
    functions.services.transcriber.fetch = _unavailable  # type: ignore[method-assign,assignment]
    assert (await functions.webhook()).status_code == 503


async def _unavailable(*_: object, **__: object) -> None:
    raise Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE)


async def test_a_webhook_over_its_time_limit_is_200_and_makes_the_visit_due_for_the_poller(
    functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    await submitted(functions)
    functions.services.transcriber.fetch = _never  # type: ignore[method-assign,assignment]
    monkeypatch.setattr(collect, "COLLECT_WITHIN_S", 0.05)
    reply = await functions.webhook()
    assert reply.status_code == 200
    assert (await visit_of(functions)).wake_at == functions.services.clock.now()


async def _never(*_: object) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    "name",
    [
        "redacted/user-1/visit-1/audio.m4a",
        "visits/user-1/visit-1/transcript.json",
        "visits/user-1/visit-1/summary.txt",
        "visits/user-1/audio.m4a",
        "visits/user-1/visit-1/deeper/audio.m4a",
        "visits/user-1/../visit-1/audio.m4a",
        "visits/../visit-1/audio.m4a",
        "../visits/user-1/visit-1/audio.m4a",
        "visits/user-1/visit-1/..",
        "visits/user 1/visit-1/audio.m4a",
        "visits/user-1/вiзит/audio.m4a",
        "",
    ],
)
async def test_an_object_outside_the_path_of_recordings_is_ignored(
    functions: Functions, name: str
) -> None:
    stored = {"bucket": "recordings", "name": name, "generation": 1, "size": 10}
    assert (await functions.announce(stored)).status_code == 200
    assert functions.services.store.documents() == {}
    assert functions.services.transcriber.orders == []


@pytest.mark.parametrize("file", ["my visit (3).m4a", "визит №1.wav", "..m4a", "Tag.M4A"])
async def test_a_recording_with_any_file_name_is_accepted(functions: Functions, file: str) -> None:
    uploaded = upload()
    audio = uploaded.audio.model_copy(update={"storage_path": f"visits/user-1/visit-1/{file}"})
    uploaded = uploaded.model_copy(update={"audio": audio})
    functions.services.audio.put(audio, b"not a recording")
    assert (await functions.finalize(uploaded)).status_code == 200
    visit = await visit_of(functions)
    assert visit.processing_error
    assert visit.processing_error.code is ErrorCode.AUDIO_UNREADABLE


async def test_an_empty_recording_fails_without_an_order(functions: Functions) -> None:
    assert (await functions.finalize(upload(size_bytes=0))).status_code == 200
    visit = await visit_of(functions)
    assert visit.processing_error
    assert visit.processing_error.code is ErrorCode.AUDIO_EMPTY
    assert functions.services.transcriber.orders == []


async def test_an_event_that_could_not_be_saved_is_503_and_its_redelivery_is_accepted(
    functions: Functions,
) -> None:
    working = functions.services.store.create
    functions.services.store.create = _unavailable  # type: ignore[method-assign,assignment]
    assert (await functions.finalize(functions.services.upload())).status_code == 503
    functions.services.store.create = working  # type: ignore[method-assign]
    assert (await functions.finalize(functions.services.upload())).status_code == 200
    assert len(functions.services.transcriber.orders) == 1


async def test_an_unexpected_exception_is_500_and_its_message_is_not_logged(
    functions: Functions, capfd: pytest.CaptureFixture[str]
) -> None:
    written = io.StringIO()
    logs.configure(to=written)

    def bug(*_: object) -> None:
        raise ZeroDivisionError("the patient said something")

    functions.services.store.get = bug  # type: ignore[method-assign,assignment]
    assert (await functions.finalize(functions.services.upload())).status_code == 500
    assert (await functions.webhook()).status_code == 500
    assert (await functions.summarize()).status_code == 500
    printed = written.getvalue() + "".join(capfd.readouterr())
    assert "ZeroDivisionError" in printed
    assert "the patient said" not in printed


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"visitId": "a/b", "attempt": 1}', b"\xff"])
async def test_a_malformed_task_is_200_so_that_cloud_tasks_does_not_retry_it(
    functions: Functions, body: bytes
) -> None:
    reply = await functions.clients["summarize_visit"].post("/", content=body)
    assert reply.status_code == 200
    assert functions.services.summarizer.calls == 0
