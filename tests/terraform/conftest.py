"""Terraform if it is installed, otherwise a skip with the reason."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.terraform.offline import Deployment, copied_to, stand_in


def missing(reason: str) -> None:
    """A missing tool skips the test on a developer's machine and fails it in CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def terraform_command() -> Path:
    if shutil.which("terraform") is None:
        missing("terraform is not installed: https://developer.hashicorp.com/terraform/install")
    command = stand_in()
    if command is None:
        missing(
            "The stand-in for the providers is not here (TERRAFORM_OFFLINE names it). "
            "`terraform -chdir=terraform test` checks the same with the real providers."
        )
    assert command is not None
    return command


@pytest.fixture(scope="session")
def deployment(terraform_command: Path, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A read-only copy, shared by all tests."""
    return copied_to(tmp_path_factory.mktemp("deployment"), terraform_command)


@pytest.fixture
def spoilt(terraform_command: Path, tmp_path: Path) -> Deployment:
    """A copy that the test may change."""
    return copied_to(tmp_path, terraform_command)


@pytest.fixture(scope="session")
def plan_of(deployment: Deployment) -> Callable[[str], dict[str, Any]]:
    """The plan of an environment, computed once."""
    plans: dict[str, dict[str, Any]] = {}

    def plan(environment: str) -> dict[str, Any]:
        if environment not in plans:
            plans[environment] = deployment.plan(environment)
        return plans[environment]

    return plan
