"""Compares the names that Terraform, the code, the local stack and Firebase share."""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infra.local.stack import ENTRY_POINTS, QUEUE, Options, plan
from lumimd.runtime.settings import variables
from tests.terraform.offline import ROOT

FILES_OF_RULES = ("firestore.rules", "storage.rules")


@dataclass(frozen=True)
class Names:
    """The names that each place uses; `deployment` is infra/deployment.json, for Terraform."""

    deployment: Mapping[str, Any]
    triggers_in_main: Mapping[str, str]
    settings: frozenset[str]
    example: frozenset[str]
    local_functions: frozenset[str]
    local_environment: frozenset[str]
    local_queue: str
    local_jobs: Mapping[str, str]
    firebase: Mapping[str, Any]
    terraform: str
    monitoring: str


def names_in_checkout() -> Names:
    """Read the names of all places in the checkout."""
    local = plan(Options(in_memory=True, env={}))
    (scheduler,) = (process for process in local.processes if process.name == "scheduler")
    jobs = [argument.partition("=") for argument in scheduler.argv if "=http" in argument]
    return Names(
        deployment=json.loads((ROOT / "infra/deployment.json").read_text()),
        triggers_in_main=entry_points((ROOT / "functions/main.py").read_text()),
        settings=variables(),
        example=frozenset(re.findall(r"(?m)^([A-Z_]+)=", (ROOT / ".env.example").read_text())),
        local_functions=frozenset(ENTRY_POINTS),
        local_environment=frozenset(local.function_env),
        local_queue=QUEUE.rpartition("/")[2],
        local_jobs={name: url.rpartition("/")[2] for name, _, url in jobs},
        firebase=json.loads((ROOT / "firebase.json").read_text()),
        terraform="".join(file.read_text() for file in sorted((ROOT / "terraform").glob("*.tf"))),
        monitoring="".join(
            file.read_text() for file in sorted((ROOT / "infra/monitoring").rglob("*.json"))
        ),
    )


def differences(names: Names) -> list[str]:
    """Return a description of each difference between two places; empty if all agree."""
    return list(_differences(names))


def _differences(names: Names) -> Iterator[str]:
    deployment, functions = names.deployment, names.deployment["functions"]
    secrets, local = set(deployment["secrets"]), set(deployment["local_environment"])
    variables = set(deployment["environment"]) | secrets | local
    yield from _compared("functions: main.py", names.triggers_in_main, "deployment.json", functions)
    yield from _compared("functions: stack.py", names.local_functions, "main.py", functions)
    for name, trigger in names.triggers_in_main.items():
        planned = functions.get(name, {}).get("trigger")
        if planned and (trigger == "cloud_event") != (planned == "storage"):
            yield f"{name} is for {trigger} in main.py and for {planned} in deployment.json"
    yield from _compared("variables: settings.py", names.settings, "deployment.json", variables)
    yield from _compared("variables: .env.example", names.example, "settings.py", names.settings)
    for name in sorted(names.local_environment - variables):
        yield f"variables: stack.py sets {name}, which settings.py does not read"
    for name, function in functions.items():
        for secret in sorted(set(function["secrets"]) - secrets):
            yield f"secrets: {name} needs {secret}, which does not exist"
    yield from _compared(
        "queues: stack.py", {names.local_queue}, "deployment.json", deployment["queues"]
    )
    schedules = {name: job["function"] for name, job in deployment["schedules"].items()}
    if names.local_jobs != schedules:
        yield f"schedules: stack.py has {names.local_jobs}, deployment.json {schedules}"
    for job in (*deployment["queues"].values(), *deployment["schedules"].values()):
        if job["function"] not in functions:
            yield f"functions: {job['function']} is called and does not exist"
    yield from _files(names)
    yield from _watched(names)


def _files(names: Names) -> Iterator[str]:
    firebase = names.firebase
    indexes = firebase["firestore"]["indexes"]
    if f"/../{indexes}" not in names.terraform:
        yield f"firebase.json reads {indexes}, Terraform another file"
    rules = (firebase["firestore"]["rules"], firebase["storage"]["rules"])
    if rules != FILES_OF_RULES:
        yield f"firebase.json reads {rules}"
    for file in FILES_OF_RULES:
        if f'"{file}"' not in names.terraform:
            yield f"Terraform does not release {file}"


def _watched(names: Names) -> Iterator[str]:
    services = {name.replace("_", "-") for name in names.deployment["functions"]}
    for kind, there in (("service_name", services), ("queue_id", names.deployment["queues"])):
        watched = set(re.findall(rf'{kind}\s*=\s*\\"([\w-]+)\\"', names.monitoring))
        for name in sorted(watched - set(there)):
            yield f"infra/monitoring watches the {kind} {name}, which does not exist"


def _compared(one: str, these: Any, other: str, those: Any) -> Iterator[str]:
    for name in sorted(set(these) - set(those)):
        yield f"{one} has {name}, {other} has not"
    for name in sorted(set(those) - set(these)):
        yield f"{other} has {name}, {one} has not"


def entry_points(source: str) -> dict[str, str]:
    """Return each function of main.py that the framework serves, with its decorator's name."""
    return {
        node.name: decorator.attr
        for node in ast.parse(source).body
        if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Attribute) and decorator.attr in ("http", "cloud_event")
    }
