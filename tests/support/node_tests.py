"""Run JavaScript tests with Node."""

import os
import signal
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from infra.local.stack import ROOT
from infra.node import node


@dataclass(frozen=True)
class Outcome:
    """The outcome of one test; `failure` is None if it passed."""

    suite: str
    name: str
    failure: str | None


def outcomes_of(files: Sequence[Path], env: Mapping[str, str], folder: Path) -> list[Outcome]:
    """Run the tests in `files` with `env` added, and return the outcome of each test.

    The report of Node is written into `folder`.
    """
    report = folder / "report.xml"
    code, errors = _run(
        *(str(node()), "--test", "--test-reporter=junit"),
        f"--test-reporter-destination={report}",
        *map(str, files),
        env={**os.environ, **env},
    )
    assert report.is_file(), errors
    outcomes = [
        Outcome(suite.get("name", "no suite"), case.get("name", ""), _failure(case))
        for suite in ET.parse(report).getroot().iter()  # tests without a suite are in the root
        for case in suite.findall("testcase")
    ]
    # A file that cannot be loaded fails without the failure of a test.
    assert code == 0 or any(each.failure for each in outcomes), errors
    return outcomes


def _run(*command: str, env: dict[str, str]) -> tuple[int, str]:
    """Run a command and end all its children; returns the exit code and the error output."""
    process = subprocess.Popen(
        command, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        _, errors = process.communicate(timeout=600)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, errors


def _failure(case: ET.Element) -> str | None:
    failed = case.find("failure")
    return None if failed is None else f"{failed.get('message')} {(failed.text or '')[:500]}"
