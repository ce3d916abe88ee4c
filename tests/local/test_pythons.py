"""scripts/test-pythons runs its commands on each Python, in clones that are removed afterwards.

In the checkout of the tests, stubs replace the called scripts and note their folder and arguments.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.interpreters import executable

SCRIPT = Path(__file__).parents[2] / "scripts" / "test-pythons"

SETUP = """#!/usr/bin/env bash
[[ ${1-} == --which ]] || exec echo "setup $PYTHON" >>"$NOTES"
[[ $PYTHON != "python$MISSING" ]] || { echo "no $PYTHON" >&2; exit 1; }
echo "/the/$PYTHON"
"""
TEST = """#!/usr/bin/env bash
echo "test ${PWD##*/} ${PYTHON-unset} $1 $2" >>"$NOTES"
exit "${FAILS:-0}"
"""
DEMO = """#!/usr/bin/env bash
java -version 2>/dev/null && echo "Java is not hidden" >>"$NOTES"
echo "demo ${PWD##*/} CI=${CI-unset} $*" >>"$NOTES"
"""


class Checkout:
    """A repository with scripts/test-pythons, the stub scripts and their notes."""

    def __init__(self, root: Path) -> None:
        self.root = root / "checkout"
        self.temporary = root / "temporary"
        self._notes = root / "notes"
        self.temporary.mkdir()
        for name, text in (("setup", SETUP), ("test", TEST), ("demo", DEMO)):
            executable(self.root / "scripts" / name, text)
        shutil.copy(SCRIPT, self.root / "scripts")
        self._git("init", "--quiet")
        self._git("add", "--all")
        identity = ("-c", "user.name=test", "-c", "user.email=test@example.invalid")
        self._git(*identity, "commit", "--quiet", "--message", "All")

    def _git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.root, check=True)

    def run(self, *versions: str, **env: str) -> subprocess.CompletedProcess[str]:
        variables = {"NOTES": str(self._notes), "MISSING": "", "TMPDIR": str(self.temporary)}
        return subprocess.run(
            [self.root / "scripts" / "test-pythons", *versions],
            env={**os.environ, "CI": "true", "JAVA_HOME": "/a/java", **variables, **env},
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def notes(self) -> list[str]:
        return self._notes.read_text().splitlines() if self._notes.exists() else []


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def on(version: str) -> list[str]:
    """The commands that run on one Python version in CI."""
    return [
        f"setup /the/python{version}",
        f"test {version} unset --fast tests",
        f"demo {version} CI=true --store memory --json",
        f"demo {version} CI=unset --json",
    ]


def test_the_commands_run_on_the_oldest_and_newest_python_in_temporary_clones(
    checkout: Checkout,
) -> None:
    done = checkout.run(PYTHON="python-of-the-caller")
    assert done.returncode == 0, done.stderr
    assert checkout.notes == on("3.11") + on("3.13")
    assert list(checkout.temporary.iterdir()) == []


def test_the_commands_run_on_the_versions_named_as_arguments(checkout: Checkout) -> None:
    assert checkout.run("3.12").returncode == 0
    assert checkout.notes == on("3.12")


def test_a_missing_python_is_a_failure_in_ci(checkout: Checkout) -> None:
    done = checkout.run(MISSING="3.13")
    assert done.returncode == 1
    assert "no python3.13" in done.stderr


def test_outside_of_ci_a_missing_python_is_reported_and_the_others_run(checkout: Checkout) -> None:
    done = checkout.run(MISSING="3.11", CI="")
    assert done.returncode == 0, done.stderr
    assert "Python 3.11 is not on this machine" in done.stdout
    assert [note.split()[:2] for note in checkout.notes] == [
        ["setup", "/the/python3.13"],
        *(["test", "3.13"], ["demo", "3.13"], ["demo", "3.13"]),
    ]


def test_a_failed_command_ends_the_run_and_removes_the_clone(checkout: Checkout) -> None:
    assert checkout.run(FAILS="3").returncode == 3
    assert checkout.notes == on("3.11")[:2]
    assert list(checkout.temporary.iterdir()) == []
