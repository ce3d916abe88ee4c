"""Help loads no SDK, and a command loads only the SDKs that it needs."""

import json
import pkgutil
import subprocess
import sys
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from inspect import iscoroutinefunction

import pytest

from infra.local.stack import ROOT
from infra.ops import arguments
from lumimd.domain.visit import Stage
from lumimd.operations import breakers
from lumimd.operations.bulk_retry import PER_MINUTE
from lumimd.operations.rerun import From
from tests.operations.test_cli_ends import ENV

HEAVY = {
    "assemblyai",
    "fastapi",
    "firebase_admin",
    "functions_framework",
    "google.api_core",
    "google.auth",
    "google.cloud.firestore",
    "google.cloud.scheduler_v1",
    "google.cloud.storage",
    "google.cloud.tasks_v2",
    "grpc",
    "httpx",
    "infra.local.stack",
    "lumimd.pipeline.submit",
    "lumimd.domain.visit",
    "openai",
    "pydantic",
    "requests",
    "rich",
    "structlog",
}
AFTER_CONNECTING = """
import asyncio, json, sys
from infra.ops import cli
from infra.ops.local_stack import Addresses
env = {
    "GOOGLE_CLOUD_PROJECT": "demo",
    "FIRESTORE_EMULATOR_HOST": "127.0.0.1:9",
    "CLOUD_TASKS_EMULATOR_HOST": "127.0.0.1:9",
    "CLOUD_SCHEDULER_EMULATOR_HOST": "127.0.0.1:9",
    "SUMMARY_QUEUE": "projects/demo/locations/us-central1/queues/summaries",
    "SUMMARIZE_URL": "https://summarize.invalid",
    "TASKS_SERVICE_ACCOUNT": "tasks@demo.invalid",
    "ASSEMBLYAI_API_KEY": "key",
    "WEBHOOK_SECRET": "a-secret-of-the-webhook",
    "AUDIO_BUCKET": "recordings",
    "SUMMARIZER": "rules",
}
cli.choose = lambda runs, wanted: Addresses("run-a", 1, False, env, {})
async def run(args, connection, name, err):
    getattr(connection.services, sys.argv[1])
    return 0
cli.run = run
cli.main(["--local", "visits"])
print(json.dumps(sorted(sys.modules)))
"""
AFTER_PARSING = """
import json, sys
from infra.ops import cli
try:
    cli.main(sys.argv[1:])
except SystemExit:
    pass
print("\\n" + json.dumps(sorted(sys.modules)))
"""


def loaded(program: str, *words: str) -> set[str]:
    ended = subprocess.run(
        [sys.executable, "-c", program, *words],
        cwd=ROOT,
        env={**ENV, "GOOGLE_CLOUD_PROJECT": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(ended.stdout.splitlines()[-1]))


@pytest.mark.parametrize("words", [("--help",), ("visits", "--help"), ("fly",), ("visits",)])
def test_help_and_usage_errors_load_no_library(words: tuple[str, ...]) -> None:
    assert loaded(AFTER_PARSING, *words) & HEAVY == set()


@pytest.mark.parametrize(
    ("service", "needed"),
    [
        ("operators", {"lumimd.adapters.firestore.database"}),  # the first call loads the SDK
        ("queues", {"google.cloud.tasks_v2"}),
        ("schedules", {"google.cloud.scheduler_v1"}),
    ],
)
def test_a_command_loads_only_the_sdks_of_its_services(service: str, needed: set[str]) -> None:
    unneeded = {
        "assemblyai",
        "fastapi",
        "firebase_admin",
        "functions_framework",
        "google.cloud.firestore",
        "google.cloud.scheduler_v1",
        "google.cloud.storage",
        "google.cloud.tasks_v2",
        "lumimd.pipeline.submit",
        "openai",
        "rich.progress",
    } - needed
    modules = loaded(AFTER_CONNECTING, service)
    assert needed <= modules
    assert modules & unneeded == set()


def commands_of(parser: ArgumentParser) -> Iterator[ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            for one in action.choices.values():
                yield one
                yield from commands_of(one)


def test_every_command_is_an_existing_function() -> None:
    named = {
        command.get_default("command")
        for command in commands_of(arguments.parser())
        if command.get_default("command")
    }
    assert len(named) > 15
    for name in named:
        assert iscoroutinefunction(pkgutil.resolve_name(f"infra.ops.{name}"))


def test_the_choices_of_the_parser_equal_the_values_in_the_code() -> None:
    assert list(arguments.STAGES) == list(Stage)
    assert list(arguments.STEPS) == list(From)
    assert arguments.BREAKERS == breakers.NAMES
    assert arguments.PER_MINUTE == PER_MINUTE
