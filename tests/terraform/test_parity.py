"""Names and limits that several files repeat agree with each other."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from lumimd.api import health
from lumimd.domain.audio import recording_of
from lumimd.policies.lease import SUMMARY
from lumimd.policies.vendor_timeouts import DISPATCH_DEADLINE
from lumimd.runtime import settings
from tests.terraform.names import Names, differences, names_in_checkout
from tests.terraform.offline import ENVIRONMENTS


@pytest.fixture(scope="module")
def names() -> Names:
    return names_in_checkout()


def test_code_terraform_local_stack_and_firebase_use_the_same_names(names: Names) -> None:
    assert differences(names) == []


def renamed(deployment: Mapping[str, Any], old: str, new: str) -> Any:
    return json.loads(json.dumps(deployment).replace(f'"{old}"', f'"{new}"'))


CHANGES: dict[str, Callable[[Names], Names]] = {
    "an entry point in main.py": lambda n: replace(
        n, triggers_in_main={**n.triggers_in_main, "summarise_visit": "http"}
    ),
    "a trigger in main.py": lambda n: replace(
        n, triggers_in_main={**n.triggers_in_main, "on_audio_finalized": "http"}
    ),
    "a function of the local stack": lambda n: replace(
        n, local_functions=n.local_functions - {"summarize_visit"}
    ),
    "a setting in settings.py": lambda n: replace(
        n, settings=(n.settings - {"OPENAI_MODEL"}) | {"MODEL"}, example=n.example | {"MODEL"}
    ),
    "a variable in .env.example": lambda n: replace(n, example=n.example - {"SUMMARY_QUEUE"}),
    "a variable of the local stack": lambda n: replace(
        n, local_environment=n.local_environment | {"SUMMARY_QUEU"}
    ),
    "the queue of the local stack": lambda n: replace(n, local_queue="summary"),
    "a job of the local scheduler": lambda n: replace(
        n, local_jobs={**n.local_jobs, "wake-due-visit": "wake_due_visits"}
    ),
    "a function in deployment.json": lambda n: replace(
        n, deployment=renamed(n.deployment, "wake_due_visits", "wake_visits")
    ),
    "a variable in deployment.json": lambda n: replace(
        n, deployment=renamed(n.deployment, "WEBHOOK_URL", "WEBHOOK_ADDRESS")
    ),
    "a secret in deployment.json": lambda n: replace(
        n, deployment=renamed(n.deployment, "OPENAI_API_KEY", "OPENAI_KEY")
    ),
    "a queue in deployment.json": lambda n: replace(
        n, deployment=renamed(n.deployment, "summaries", "summary")
    ),
    "a schedule in deployment.json": lambda n: replace(
        n, deployment=renamed(n.deployment, "wake-due-visits", "wake")
    ),
    "the indexes in firebase.json": lambda n: replace(
        n, firebase={**n.firebase, "firestore": {**n.firebase["firestore"], "indexes": "i.json"}}
    ),
    "the rules in Terraform": lambda n: replace(
        n, terraform=n.terraform.replace('"storage.rules"', '"bucket.rules"')
    ),
    "a service in infra/monitoring": lambda n: replace(
        n, monitoring=n.monitoring + r"service_name=\"wake-visits\""
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_name_that_is_changed_in_only_one_place_is_reported(names: Names, change: str) -> None:
    assert set(differences(CHANGES[change](names))) - set(differences(names))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_function_gets_its_required_settings(
    names: Names,
    plan_of: Callable[[str], dict[str, Any]],
    environment: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    functions = [
        change
        for change in plan_of(environment)["resource_changes"]
        if change["type"] == "google_cloudfunctions2_function"
    ]
    assert {function["index"] for function in functions} == set(names.deployment["functions"])
    for function in functions:
        given = environment_of(function["change"])
        for name in names.settings:
            monkeypatch.delenv(name, raising=False)
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        read = settings.read().settings
        assert read.webhook_url, "an order contains the webhook's URL"
        assert set(given) <= names.settings


KNOWN_AFTER_APPLY = {
    "AUDIO_BUCKET": "example-recordings",
    "SUMMARY_QUEUE": "projects/example/locations/us-central1/queues/summaries",
    "TASKS_SERVICE_ACCOUNT": "tasks@example.iam.gserviceaccount.com",
}


def environment_of(change: Mapping[str, Any]) -> dict[str, str]:
    """Return a planned function's environment, with stub values for unknown names and secrets."""
    (config,) = change["after"]["service_config"]
    (unknown,) = change["after_unknown"]["service_config"]
    environment: dict[str, str] = dict(config["environment_variables"])
    for name in unknown.get("environment_variables") or {}:
        environment[name] = KNOWN_AFTER_APPLY[name]
    for secret in config["secret_environment_variables"]:
        environment[secret["key"]] = "a-secret-of-some-length"
    return environment


def test_the_dispatch_deadline_of_a_task_equals_the_timeout_of_its_function(names: Names) -> None:
    timeout_s = names.deployment["functions"]["summarize_visit"]["timeout_seconds"]
    assert DISPATCH_DEADLINE.total_seconds() == timeout_s
    assert SUMMARY.work.total_seconds() < timeout_s, "the work deadline is before the timeout"


def test_the_timeout_of_an_event_function_is_within_the_limit_of_the_platform(names: Names) -> None:
    for name, trigger in names.triggers_in_main.items():
        if trigger == "cloud_event":
            assert names.deployment["functions"][name]["timeout_seconds"] <= 540


def test_the_uptime_check_calls_an_existing_path_of_the_api(names: Names) -> None:
    assert names.deployment["health_path"] in {route.path for route in health.router.routes}


def test_the_terraform_output_shows_the_upload_path_that_the_pipeline_accepts(
    plan_of: Callable[[str], dict[str, Any]],
) -> None:
    upload = plan_of("dev")["planned_values"]["outputs"]["upload"]["value"]
    _, _, path = upload.removeprefix("gs://").partition("/")
    filled = path.replace("{uid}", "u").replace("{visitId}", "v").replace("{extension}", "m4a")
    assert recording_of(filled) == ("u", "v")
