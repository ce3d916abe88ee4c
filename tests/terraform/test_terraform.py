"""The Terraform configuration is valid, can be planned, and passes its own assertions."""

import re
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.terraform.conftest import missing
from tests.terraform.offline import ENVIRONMENTS, ROOT, Deployment


def test_the_terraform_files_are_formatted() -> None:
    if shutil.which("terraform") is None:
        missing("terraform is not installed: https://developer.hashicorp.com/terraform/install")
    formatted = subprocess.run(
        ["terraform", "fmt", "-check", "-recursive", "-diff", str(ROOT / "terraform")],
        capture_output=True,
        text=True,
    )
    assert formatted.returncode == 0, formatted.stdout + formatted.stderr


@pytest.mark.parametrize("folder", [".", "bootstrap"])
def test_every_terraform_attribute_and_reference_is_valid(
    deployment: Deployment, folder: str
) -> None:
    validated = deployment.run("validate", at=folder)
    assert validated.returncode == 0, validated.stdout + validated.stderr


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_terraform_can_plan_every_environment(
    plan_of: Callable[[str], dict[str, Any]], environment: str
) -> None:
    plan = plan_of(environment)
    assert not plan.get("errored")
    actions = {tuple(change["change"]["actions"]) for change in plan["resource_changes"]}
    assert actions <= {("create",), ("read",)}, "an empty project: nothing is changed or removed"


def test_all_terraform_assertions_hold(deployment: Deployment) -> None:
    tested = deployment.run("test")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    summary = re.search(r"(\d+) passed, 0 failed", tested.stdout)
    assert summary, tested.stdout
    assert int(summary[1]) >= 15


@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [
        ("firestore.tf", "delete_protection_state =", "delete_protecton_state ="),
        ("scheduler.tf", 'caller["scheduler"].email', 'caller["scheduler"].mail'),
    ],
)
def test_terraform_validate_rejects_a_misspelt_attribute(
    spoilt: Deployment, file: str, right: str, wrong: str
) -> None:
    spoilt.write(f"terraform/{file}", right, wrong)
    assert spoilt.run("validate").returncode != 0


def test_terraform_plan_rejects_a_value_that_the_cloud_does_not_know(spoilt: Deployment) -> None:
    spoilt.write("terraform/functions.tf", '"RETRY_POLICY_RETRY"', '"RETRY_POLICY_RETRI"')
    planned = spoilt.run("plan", "-var-file=environments/dev.tfvars")
    assert planned.returncode != 0
    assert "RETRY_POLICY_RETRI" in planned.stderr


def test_terraform_test_fails_on_a_violated_assertion(spoilt: Deployment) -> None:
    spoilt.write(
        "infra/deployment.json",
        '"trigger": "tasks",\n      "public": false',
        '"trigger": "tasks",\n      "public": true',
    )
    file = spoilt.terraform / "tests" / "access.tftest.hcl"
    head, first, *_ = file.read_text().split("\nrun ")  # only the run that is violated
    file.write_text(f"{head}\nrun {first}")
    tested = spoilt.run("test", "-filter=tests/access.tftest.hcl")
    assert tested.returncode != 0
    assert 'run "only_the_webhook_and_the_api_are_open_to_everybody"... fail' in tested.stdout


def waits(plan: dict[str, Any]) -> str:
    """Return the triggers that restart the wait of alert policies for metrics."""
    (wait,) = (
        change["change"]["after"]["triggers"]
        for change in plan["resource_changes"]
        if change["address"] == "time_sleep.metrics"
    )
    return str(wait)


def test_alert_policies_wait_until_new_metrics_and_labels_are_known(
    plan_of: Callable[[str], dict[str, Any]], spoilt: Deployment
) -> None:
    """The API refuses an alert policy on a metric or label that is still unknown to it."""
    plan = plan_of("dev")
    resources = plan["configuration"]["root_module"]["resources"]
    needs = {each["address"]: each.get("depends_on", []) for each in resources}
    assert "time_sleep.metrics" in needs["google_monitoring_alert_policy.this"]
    assert set(needs["time_sleep.metrics"]) == {
        "google_cloud_tasks_queue.this",
        "google_logging_metric.this",
        "google_monitoring_uptime_check_config.api",
    }
    spoilt.write("infra/monitoring/metrics/stage_delay.json", '"key": "stage"', '"key": "stages"')
    assert waits(spoilt.plan("dev")) != waits(plan)
