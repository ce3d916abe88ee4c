"""`scripts/demo`, the first command of the README, works as a new developer runs it."""

import json
import os
import re
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from infra.local.stack import ROOT, can_emulate

pytestmark = [pytest.mark.stack, pytest.mark.speech]


def demo(*arguments: str, path: str | None = None, timeout: float = 300) -> dict[str, Any]:
    """Run the demo, check that no process and no open port remains, and return its JSON."""
    mark = uuid4().hex
    env = {**os.environ, "LUMIMD_TEST_MARK": mark}
    for key in ("ASSEMBLYAI_API_KEY", "OPENAI_API_KEY"):
        env.pop(key, None)
    if path is not None:
        env["PATH"] = path
        env.pop("JAVA_HOME", None)
        env.pop("CI", None)
        env.pop("PYTHON", None)  # the Python that this variable names may not be on `path`
    ran = subprocess.run(
        [str(ROOT / "scripts" / "demo"), "--json", *arguments],
        env=env,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert processes_with(mark) == []
    ports = re.findall(r"is up at \w+://127\.0\.0\.1:(\d+)", ran.stderr)
    assert ports
    for port in ports:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", int(port))) != 0, f"port {port} is left open"
    assert ran.returncode == 0, ran.stderr
    return {"stderr": ran.stderr, **json.loads(ran.stdout)}


def processes_with(mark: str) -> list[int]:
    """Return the ids of the processes whose environment contains `mark`."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue  # the process has ended, or is not readable
    return found


def check(shown: dict[str, Any]) -> None:
    visit = shown["visit"]
    assert visit["status"] == "completed"
    assert visit["source"] == "rules"
    assert {each["role"] for each in shown["transcript"]} == {"clinician", "patient"}
    assert shown["actions"]
    assert [entry["event"] for entry in shown["history"]][-1] == "summary_stored"
    for group in ("started", "stopped", "changed"):
        assert visit["medications"][group], f"the sample speaks of a medication {group}"
    check_that_no_word_leaked(shown)


def check_that_no_word_leaked(shown: dict[str, Any]) -> None:
    """Check that words which are spoken only in the sample appear in no log of the run."""
    spoken = " ".join(utterance["text"].lower() for utterance in shown["transcript"])
    canaries = {"metformin", "ibuprofen", "prednisone", "thirsty", "diabetes", "kidneys"}
    assert canaries <= set(re.findall(r"[a-z]+", spoken))
    run = re.search(r"logs of every part are in (\S+)", shown["stderr"])
    assert run
    logs = sorted((ROOT / run[1]).glob("*.log"))
    assert len(logs) > 4
    logged = "".join(log.read_text(errors="replace").lower() for log in logs)
    assert "transcript_stored" in logged
    assert not {word for word in canaries if word in logged}
    assert not {word for word in canaries if word in json.dumps(shown["history"]).lower()}


def test_the_demo_completes_a_visit_through_the_emulators() -> None:
    missing = can_emulate(os.environ)
    if missing is not None and os.environ.get("CI") != "true":
        pytest.skip(str(missing))
    shown = demo("--store", "emulator")
    check(shown)
    assert "firestore is up" in shown["stderr"]


def test_without_java_the_demo_reports_it_and_completes_a_visit(tmp_path: Path) -> None:
    shown = demo(path=path_without_java(tmp_path))
    check(shown)
    assert "Java is missing" in shown["stderr"]
    assert "visits are in memory" in shown["stderr"]
    assert "firestore is up" not in shown["stderr"]


def path_without_java(folder: Path) -> str:
    """Make a PATH folder that has all tools which the scripts need, except Java; return it."""
    for tool in ("bash", "env", "python3", "dirname", "cat", "rm", "mkdir", "find", "awk", "grep"):
        found = shutil.which(tool)
        if found:
            (folder / tool).symlink_to(found)
    return str(folder)
