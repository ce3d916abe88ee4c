"""A command that fails or is stopped prints one sentence or nothing, and never a traceback."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.stack import ROOT
from infra.ops import cli
from infra.ops.cli import main
from infra.ops.exits import CLOSED_PIPE, USAGE
from infra.ops.local_stack import ADDRESSES, Addresses, published

UNPRIVILEGED = 65534
ENV = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'functions'}", "PYTHONUNBUFFERED": ""}
REAL = (sys.executable, "-m", "infra.ops")
ON_MEMORY = (sys.executable, "-m", "tests.operations.ops_on_memory")


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        (ON_MEMORY, ("--local", "visits", "--json")),
        (ON_MEMORY, ("--local", "visits")),
        (ON_MEMORY, ("--local", "doctor")),
        (REAL, ("--help",)),
    ],
)
def test_a_closed_pipe_ends_the_command_without_an_error_message(
    program: tuple[str, ...], arguments: tuple[str, ...]
) -> None:
    ended = into_a_closed_pipe([*program, *arguments], stderr_too=False)
    assert (ended.returncode, ended.stderr) == (CLOSED_PIPE, b"")


def test_a_closed_standard_error_ends_with_the_exit_code_of_a_closed_pipe() -> None:
    ended = into_a_closed_pipe([*REAL, "--local", "--run", "none", "visits"], stderr_too=True)
    assert ended.returncode == CLOSED_PIPE


def into_a_closed_pipe(
    command: list[str], *, stderr_too: bool
) -> subprocess.CompletedProcess[bytes]:
    reader, writer = os.pipe()
    os.close(reader)  # before the program writes
    try:
        return subprocess.run(
            command,
            cwd=ROOT,
            env={**ENV, "PATH": os.environ["PATH"]},  # a test may have changed PATH
            stdout=writer,
            stderr=writer if stderr_too else subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(writer)


def test_a_pipe_that_is_read_to_its_end_receives_the_complete_output() -> None:
    ended = subprocess.run(
        [*ON_MEMORY, "--local", "visits", "--json"],
        cwd=ROOT,
        env=ENV,
        capture_output=True,
        check=True,
    )
    assert len(json.loads(ended.stdout)["visits"]) == 3


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    monkeypatch.setattr(cli, "RUNS", tmp_path)
    return tmp_path


def stack(name: str, *, in_memory: bool = False) -> Addresses:
    return Addresses(name, os.getpid(), in_memory, {}, {})


def folder(runs: Path, name: str) -> Path:
    made = runs / name
    made.mkdir()
    return made


def test_the_message_about_an_unknown_run_lists_the_running_stacks(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        published(stack("run-a"), folder(runs, "run-a")),
        published(stack("run-b", in_memory=True), folder(runs, "run-b")),
    ):
        assert main(["--local", "--run", "run-c", "visits"]) == USAGE
        message = capsys.readouterr().err
        assert "No local stack is called run-c." in message
        assert "run-a" in message
        assert "run-b (in its own memory)" in message
    assert main(["--run", "run-c", "visits"]) == USAGE
    message = capsys.readouterr().err
    assert message.startswith("No local stack is called run-c. No local stack runs.")


def test_the_message_about_several_running_stacks_lists_them(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        published(stack("run-a"), folder(runs, "run-a")),
        published(stack("run-b"), folder(runs, "run-b")),
    ):
        assert main(["--local", "visits"]) == USAGE
        message = capsys.readouterr().err
        assert message.startswith("Several stacks run: run-")
        assert message.endswith("Choose one with --run NAME.\n")
        assert main(["visits"]) == USAGE
        assert "--local" in capsys.readouterr().err


def test_starting_a_stack_is_advised_only_if_the_emulators_can_run(
    runs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.local.stack.can_emulate", lambda _: None)
    main(["--local", "visits"])
    assert "scripts/dev --scripted --store emulator" in capsys.readouterr().err
    monkeypatch.setattr("infra.local.stack.can_emulate", lambda _: "Java 11 is needed.")
    main(["--local", "visits"])
    message = capsys.readouterr().err
    assert "scripts/dev" not in message
    assert "Java 11 is needed." in message


def test_a_local_run_and_a_project_exclude_each_other(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--run", "run-a", "--project", "p", "visits"]) == USAGE
    assert "--project" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "{", "[]", '{"run": "x"}'])
def test_an_invalid_file_of_stack_addresses_is_skipped(
    content: str, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder(runs, "run-a") / ADDRESSES).write_text(content)
    assert main(["--local", "visits"]) == USAGE
    assert "No local stack runs." in capsys.readouterr().err


@pytest.fixture
def read_only() -> Iterator[Path]:
    """Yield a checkout without a virtual environment that the user of this test cannot write to."""
    with tempfile.TemporaryDirectory() as name:
        checkout = Path(name)
        (checkout / "scripts").mkdir()
        for script in ("ops", "setup", "python"):
            shutil.copy(ROOT / "scripts" / script, checkout / "scripts" / script)
        shutil.copy(ROOT / "requirements.txt", checkout)
        for each in (checkout / "scripts", checkout):
            each.chmod(0o555)
        yield checkout
        for each in (checkout, checkout / "scripts"):
            each.chmod(0o755)


def test_a_read_only_checkout_without_an_environment_prints_one_sentence(read_only: Path) -> None:
    ended = subprocess.run(
        [read_only / "scripts" / "ops", "--local", "visits"],
        user=UNPRIVILEGED if os.getuid() == 0 else None,  # root can write to every folder
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert "read-only" in line
