"""The GitHub workflows run the scripts of this repository, on every supported Python."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def jobs(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows" / name).read_text())["jobs"]
    return found


def commands(job: dict[str, Any]) -> list[str]:
    return [step["run"] for step in job["steps"] if "run" in step]


def test_every_command_of_the_ci_workflows_is_a_script_of_the_repository() -> None:
    assert WORKFLOWS
    for workflow in WORKFLOWS:
        for job in jobs(workflow.name).values():
            for command in commands(job):
                assert (ROOT / command.split()[0]).is_file(), command


def test_the_ci_tests_every_supported_python() -> None:
    ci = jobs("ci.yml")
    deployed = ci["whole"]["env"]["PYTHON"].removeprefix("python")
    tested = {deployed, *ci["others"]["strategy"]["matrix"]["python"]}
    supported = re.search(r'supported="([^"]+)"', (ROOT / "scripts" / "setup").read_text())
    assert supported
    assert tested == set(supported[1].split())


def test_every_ci_job_sets_ci_so_that_a_missing_tool_fails_the_tests() -> None:
    assert all(job["env"]["CI"] == "true" for job in jobs("ci.yml").values())
