"""All checkov checks pass, and the project's custom checks find faults that checkov's own miss."""

import json
import subprocess
from collections import defaultdict
from functools import cache
from typing import Any

from tests.terraform.conftest import missing
from tests.terraform.offline import ROOT

CANNOT_BE_INSTALLED = 3


@cache
def checked(folder: str) -> dict[str, list[dict[str, Any]]]:
    ran = subprocess.run(
        [str(ROOT / "scripts" / "checkov"), folder, "--output", "json"],
        capture_output=True,
        text=True,
        timeout=600,
    )
    if ran.returncode == CANNOT_BE_INSTALLED:
        missing(f"checkov cannot be installed here: {ran.stderr}")
    assert ran.returncode in (0, 1), ran.stderr
    results: dict[str, list[dict[str, Any]]] = json.loads(ran.stdout)["results"]
    return results


def test_no_checkov_check_fails_on_the_terraform_files() -> None:
    results = checked("terraform")
    assert not results["parsing_errors"]
    failed = [f"{check['check_id']} {check['resource']}" for check in results["failed_checks"]]
    assert not failed
    assert results["passed_checks"]


def test_every_skipped_checkov_check_has_a_reason() -> None:
    for check in checked("terraform")["skipped_checks"]:
        reason = check["check_result"]["suppress_comment"]
        assert len(reason.split()) > 3, f"{check['check_id']} {check['resource']}: {reason!r}"


def test_the_custom_checkov_checks_run_on_the_terraform_files() -> None:
    results = checked("terraform")
    passed = {(check["check_id"], check["resource"]) for check in results["passed_checks"]}
    for number in (1, 2, 3):
        assert (f"CKV2_LUMIMD_{number}", "google_firestore_database.this") in passed
    skipped = {(check["check_id"], check["resource"]) for check in results["skipped_checks"]}
    public = {resource for id_, resource in skipped if id_.startswith("CKV2_LUMIMD")}
    assert public == {"google_cloud_run_v2_service_iam_member.public"}


def test_the_custom_checkov_checks_fail_on_bad_examples() -> None:
    caught = defaultdict(set)
    for check in checked("tests/terraform/bad")["failed_checks"]:
        caught[check["check_id"]].add(check["resource"])
    assert caught == {
        "CKV2_LUMIMD_1": {"google_firestore_database.bad"},
        "CKV2_LUMIMD_2": {"google_firestore_database.bad"},
        "CKV2_LUMIMD_3": {"google_firestore_database.bad"},
        "CKV2_LUMIMD_4": {
            "google_cloud_run_v2_service_iam_member.everybody",
            "google_cloud_run_v2_service_iam_member.everybody_signed_in",
        },
        "CKV2_LUMIMD_5": {"google_cloud_run_v2_service_iam_binding.everybody"},
    }


def test_the_custom_checkov_checks_pass_on_good_examples() -> None:
    passed = {check["resource"] for check in checked("tests/terraform/bad")["passed_checks"]}
    assert "google_cloud_run_v2_service_iam_member.tasks" in passed
