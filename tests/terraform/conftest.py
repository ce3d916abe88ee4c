"""Fixtures with Terraform; without Terraform the tests are skipped, and in CI they fail."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.terraform.offline import Deployment, copied_to, stand_in


def missing(reason: str) -> None:
    """Skip the test because of a missing tool; in CI, fail it."""
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
    """A copy of the deployed files that all tests share and no test changes."""
    return copied_to(tmp_path_factory.mktemp("deployment"), terraform_command)


@pytest.fixture
def spoilt(terraform_command: Path, tmp_path: Path) -> Deployment:
    """A copy of the deployed files that the test may change (spoil)."""
    return copied_to(tmp_path, terraform_command)


@pytest.fixture(scope="session")
def plan_of(deployment: Deployment) -> Callable[[str], dict[str, Any]]:
    """A function that returns the plan of an environment, computed once."""
    plans: dict[str, dict[str, Any]] = {}

    def plan(environment: str) -> dict[str, Any]:
        if environment not in plans:
            plans[environment] = deployment.plan(environment)
        return plans[environment]

    return plan
