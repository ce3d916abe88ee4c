"""scripts/setup takes a supported Python, also from pyenv, and prefers the deployed version.

The interpreters are stubs: each one runs the interpreter of the tests and reports another version.
"""

import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from tests.support.interpreters import SHIM, executable, stand_in

ROOT = Path(__file__).parents[2]
TOOLS = ("bash", "env", "dirname", "cat", "sort")


class Machine:
    """Folders of stub Pythons, and a checkout without .venv."""

    def __init__(self, root: Path) -> None:
        self.path = root / "bin"
        self.pyenv = root / "pyenv"
        self.script = root / "checkout" / "scripts" / "setup"
        self.script.parent.mkdir(parents=True)
        shutil.copy(ROOT / "scripts" / "setup", self.script)
        self.path.mkdir()
        for tool in TOOLS:
            (self.path / tool).symlink_to(shutil.which(tool) or tool)

    def has(self, name: str, version: str) -> Path:
        return stand_in(self.path / name, version)

    def pyenv_has(self, version: str) -> Path:
        """Install a stub version in pyenv without selecting it, so that its shim fails."""
        name = f"python{version.rpartition('.')[0]}"
        executable(self.path / name, SHIM)
        return stand_in(self.pyenv / "versions" / version / "bin" / name, version)

    def which(self, **env: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": str(self.path), "HOME": str(self.path), **env}
        return subprocess.run(
            [self.script, "--which"], env=environment, capture_output=True, text=True, check=False
        )

    def taken(self, **env: str) -> str:
        found = self.which(**env)
        assert found.returncode == 0, found.stderr
        return found.stdout.strip()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize("minor", range(9, 17))
def test_setup_takes_exactly_the_python_versions_that_the_project_supports(
    machine: Machine, minor: int
) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    machine.has("python3", f"3.{minor}.1")
    found = machine.which()
    supported = SpecifierSet(project["requires-python"]).contains(f"3.{minor}.1")
    assert (found.returncode == 0) is supported
    if not supported:
        assert f"python3 (3.{minor}.1)" in found.stderr
        assert found.stderr.startswith("setup: Python 3.11, 3.12 or 3.13 is needed")
        assert found.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("there", "taken"),
    [
        (("3.11", "3.12", "3.13"), "3.12"),
        (("3.11", "3.13"), "3.13"),
        (("3.11", "3.14"), "3.11"),
    ],
)
def test_setup_prefers_the_deployed_python_version(
    machine: Machine, there: tuple[str, ...], taken: str
) -> None:
    for version in there:
        machine.has(f"python{version}", f"{version}.0")
    assert machine.taken() == str(machine.path / f"python{taken}")


def test_setup_takes_only_the_requested_python(machine: Machine) -> None:
    machine.has("python3.12", "3.12.1")
    other = machine.has("python3.11", "3.11.1")
    assert machine.taken(PYTHON="python3.11") == str(other)
    assert machine.taken(PYTHON=str(other)) == str(other)
    assert "python3.13 (does not run)" in machine.which(PYTHON="python3.13").stderr


def test_setup_takes_a_python_in_a_folder_with_a_space(machine: Machine, tmp_path: Path) -> None:
    spaced = stand_in(tmp_path / "a folder" / "python", "3.12.0")
    assert machine.taken(PYTHON=str(spaced)) == str(spaced)


@pytest.mark.parametrize("python", ["", "python3.12"])
@pytest.mark.parametrize("found_by", ["variable", "command", "home"])
def test_setup_finds_a_python_that_pyenv_has_installed_but_not_selected(
    machine: Machine, found_by: str, python: str
) -> None:
    machine.has("python3.11", "3.11.1")
    machine.pyenv_has("3.12.9")
    newest = machine.pyenv_has("3.12.10")
    env = {"PYENV_ROOT": str(machine.pyenv)} if found_by == "variable" else {}
    if found_by == "command":
        executable(machine.path / "pyenv", f"#!/bin/sh\necho {machine.pyenv}\n")
    if found_by == "home":
        machine.pyenv.rename(machine.path / ".pyenv")
        newest = machine.path / ".pyenv" / newest.relative_to(machine.pyenv)
    assert machine.taken(PYTHON=python, **env) == str(newest)


def test_setup_keeps_a_working_environment_when_no_python_is_requested(machine: Machine) -> None:
    machine.has("python3.12", "3.12.1")
    kept = stand_in(machine.script.parents[1] / ".venv" / "bin" / "python", "3.13.0")
    assert machine.taken() == str(kept)
    stand_in(kept, "3.14.0")
    assert machine.taken() == str(machine.path / "python3.12")
    assert os.access(kept, os.X_OK), "asking changes nothing"
