"""`scripts/ops` can do some operations on a project without the secrets of the deployment."""

import os
from pathlib import Path

import pytest

from infra.ops.cli import main
from infra.ops.connection import NeedsSetting, OperatorsServices, cloud
from infra.ops.exits import USAGE
from lumimd.runtime.settings import variables


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in variables():
        monkeypatch.delenv(name, raising=False)
    # `cloud` sets this variable for the SDKs; monkeypatch restores it after the test.
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "demo-lumimd")
    monkeypatch.setenv(
        "FIRESTORE_EMULATOR_HOST", "127.0.0.1:9"
    )  # so that the SDK needs no credentials


def test_without_settings_the_missing_variables_are_listed() -> None:
    connection = cloud("my-project", "europe-west3")
    assert isinstance(connection.services, OperatorsServices)
    assert connection.where == "project my-project"
    missing = {problem.partition(":")[0] for problem in connection.configuration}
    assert {"ASSEMBLYAI_API_KEY", "WEBHOOK_SECRET", "SUMMARY_QUEUE"} <= missing
    assert os.environ["GOOGLE_CLOUD_PROJECT"] == "my-project"


def test_an_operation_without_its_setting_raises_an_error_that_names_the_variable() -> None:
    services = cloud("my-project", "europe-west3").services
    with pytest.raises(NeedsSetting, match=r"WEBHOOK_SECRET|ASSEMBLYAI_API_KEY"):
        _ = services.transcriber


def test_without_secrets_only_dependencies_that_need_no_key_are_checked() -> None:
    assert set(cloud("my-project", "europe-west3").services.checks) == {
        "store",
        "queues",
        "scheduler",
        "breaker: transcription",
        "breaker: orders",
        "breaker: model",
    }


def test_without_google_credentials_the_message_names_the_sign_in_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.delenv("FIRESTORE_EMULATOR_HOST")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "missing.json"))
    assert main(["--project", "my-project", "visits"]) == USAGE
    assert "gcloud auth application-default login" in capsys.readouterr().err


async def test_without_secrets_requesting_a_summary_creates_no_task() -> None:
    services = cloud("my-project", "europe-west3").services
    await services.tasks.request_summary("v1", 1, 1)
    assert not await services.tasks.forget("v1", 1, 1)


def test_with_all_settings_the_services_of_a_deployment_are_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {
        "SUMMARY_QUEUE": "projects/my-project/locations/europe-west3/queues/summaries",
        "SUMMARIZE_URL": "https://summarize.invalid",
        "TASKS_SERVICE_ACCOUNT": "tasks@demo.invalid",
        "ASSEMBLYAI_API_KEY": "key",
        "WEBHOOK_SECRET": "a-secret-of-the-webhook",
        "AUDIO_BUCKET": "recordings",
        "SUMMARIZER": "rules",
    }.items():
        monkeypatch.setenv(name, value)
    connection = cloud("my-project", "us-central1")
    assert connection.configuration == ()
    assert not isinstance(connection.services, OperatorsServices)
    assert "transcriber" in connection.services.checks


def test_a_missing_local_stack_gives_one_sentence_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--local", "--run", "run-that-never-was", "visits"]) == USAGE
    assert "scripts/dev" in capsys.readouterr().err
