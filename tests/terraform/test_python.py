"""The whole suite runs on the deployed Python, and all files name the same supported versions.

scripts/test-pythons, which runs tests on the oldest and newest Python, leaves out this folder.
"""

import re
import sys
import tomllib
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet

from infra.release.third_party import DEPLOYED
from tests.terraform.offline import ROOT


def text(file: str) -> str:
    return (ROOT / file).read_text()


def deployed() -> str:
    """Return the Python version that Terraform deploys, such as 3.12."""
    runtimes = re.findall(r'runtime\s*=\s*"python(\d)(\d+)"', text("terraform/functions.tf"))
    assert len(runtimes) == 1
    return ".".join(runtimes[0])


def pyproject() -> Mapping[str, Any]:
    return tomllib.loads(text("pyproject.toml"))


def supported() -> list[str]:
    """Return the Python versions that the project supports, the oldest first."""
    wanted = SpecifierSet(pyproject()["project"]["requires-python"])
    return [f"3.{minor}" for minor in range(30) if wanted.contains(f"3.{minor}.1")]


def test_the_suite_runs_on_the_deployed_python() -> None:
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert running == deployed(), f"PYTHON=python{deployed()} scripts/setup makes another .venv"


def test_licences_are_collected_for_the_deployed_python() -> None:
    assert DEPLOYED["python_version"] == deployed()


def test_ci_runs_the_suite_on_the_deployed_python() -> None:
    assert f"PYTHON=python{deployed()} scripts/setup" in text(".ci/run").splitlines()


def test_setup_prefers_the_deployed_python() -> None:
    preferred = re.findall(r"\bpython3\.\d+\b", text("scripts/setup").partition("names=(")[2])
    assert preferred[0] == f"python{deployed()}"
    assert {name.removeprefix("python") for name in preferred[: len(supported())]} == set(
        supported()
    )


def test_ci_also_runs_on_the_oldest_and_the_newest_python() -> None:
    oldest, *_, newest = supported()
    assert f"(($#)) || set -- {oldest} {newest}" in text("scripts/test-pythons").splitlines()
    assert "scripts/test-pythons" in text(".ci/run").splitlines()


def test_mypy_and_ruff_target_the_oldest_supported_python() -> None:
    oldest = supported()[0]
    tools = pyproject()["tool"]
    assert tools["mypy"]["python_version"] == oldest
    assert tools["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"


@pytest.mark.parametrize("lock", ["requirements.txt", "functions/requirements.txt"])
def test_the_lock_has_one_version_of_each_package_for_every_python(lock: str) -> None:
    locked = Counter(re.findall(r"(?m)^([A-Za-z0-9_.-]+)==", text(lock)))
    assert locked
    assert {name for name, times in locked.items() if times > 1} == set()
