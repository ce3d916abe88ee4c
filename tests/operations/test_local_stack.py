"""`scripts/ops --local` finds the local stack that a running `scripts/dev` has started."""

import json
import os
import stat
from pathlib import Path

import pytest

from infra.local import sign_in
from infra.ops.local_stack import (
    ADDRESSES,
    Addresses,
    NoStack,
    choose,
    choose_any,
    published,
    running,
)


def addresses(run: str, pid: int | None = None, *, in_memory: bool = False) -> Addresses:
    return Addresses(run, pid or os.getpid(), in_memory, {"GOOGLE_CLOUD_PROJECT": "demo"}, {})


def run_dir(runs: Path, name: str) -> Path:
    folder = runs / name
    folder.mkdir()
    return folder


def test_a_local_stack_is_found_only_while_it_runs(tmp_path: Path) -> None:
    here = addresses("run-a")
    with published(here, run_dir(tmp_path, "run-a")):
        assert choose(tmp_path, None) == here
    with pytest.raises(NoStack, match="scripts/dev"):
        choose(tmp_path, None)
    assert list(tmp_path.rglob(ADDRESSES)) == []


def test_the_file_with_the_secrets_of_a_stack_is_readable_by_its_user_only(tmp_path: Path) -> None:
    with published(addresses("run-a"), run_dir(tmp_path, "run-a")):
        mode = (tmp_path / "run-a" / ADDRESSES).stat().st_mode
        assert stat.S_IMODE(mode) == 0o600


def test_a_stack_whose_process_has_ended_is_skipped(tmp_path: Path) -> None:
    no_process = 2**22 + 1  # above the kernel's largest process id
    folder = run_dir(tmp_path, "run-a")
    (folder / ADDRESSES).write_text(json.dumps(vars(addresses("run-a", no_process))))
    assert running(tmp_path) == []


def test_with_several_running_stacks_the_run_must_be_named(tmp_path: Path) -> None:
    with (
        published(addresses("run-a"), run_dir(tmp_path, "run-a")),
        published(addresses("run-b"), run_dir(tmp_path, "run-b")),
    ):
        with pytest.raises(NoStack, match="--run NAME"):
            choose(tmp_path, None)
        assert choose(tmp_path, "run-b").run == "run-b"
        with pytest.raises(NoStack):
            choose(tmp_path, "run-c")


def test_choosing_a_stack_with_visits_in_memory_is_refused_with_a_remedy(tmp_path: Path) -> None:
    with (
        published(addresses("run-a", in_memory=True), run_dir(tmp_path, "run-a")),
        pytest.raises(NoStack, match="--store emulator"),
    ):
        choose(tmp_path, None)


def test_a_stack_on_the_emulators_is_preferred_to_a_stack_in_memory(tmp_path: Path) -> None:
    readable = addresses("run-b")
    with (
        published(addresses("run-a", in_memory=True), run_dir(tmp_path, "run-a")),
        published(readable, run_dir(tmp_path, "run-b")),
    ):
        assert choose(tmp_path, None) == readable


def test_a_stack_in_memory_can_be_chosen_for_sign_in(tmp_path: Path) -> None:
    in_memory = addresses("run-a", in_memory=True)
    with published(in_memory, run_dir(tmp_path, "run-a")):
        assert choose_any(tmp_path, None) == choose_any(tmp_path, "run-a") == in_memory


def test_sign_in_lists_the_running_stacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sign_in, "RUNS", tmp_path)

    def printed(*words: str) -> str:
        assert sign_in.main([*words]) == 1
        return capsys.readouterr().err

    assert printed() == "No local stack runs. Start one with: scripts/dev\n"
    with published(addresses("run-a"), run_dir(tmp_path, "run-a")):
        assert (
            printed("--run", "run-c") == "No local stack is called run-c. This one runs: run-a.\n"
        )
        with published(addresses("run-b", in_memory=True), run_dir(tmp_path, "run-b")):
            said = printed()
    assert said.startswith("Several stacks run: run-")
    assert said.endswith("Choose one with --run NAME.\n")
