"""`scripts/demo` in a checkout with broken functions names the error and exits with 1."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from infra.local.stack import ROOT, can_emulate

pytestmark = [pytest.mark.stack, pytest.mark.speech]

PARTS = ("functions", "infra", "samples", "scripts", "requirements.txt", "firestore.rules")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of this checkout, with the same installed packages."""
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, tmp_path / part)
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    return tmp_path


def broken(checkout: Path, before: str, added: str) -> None:
    main = checkout / "functions" / "main.py"
    text = main.read_text()
    assert text.count(before) == 1
    main.write_text(text.replace(before, added + before))


def demo(checkout: Path, store: str) -> str:
    """Run the demo, check that it exits with 1, and return its output."""
    env = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    env.pop("PYTHON", None)
    ended = subprocess.run(
        [checkout / "scripts" / "demo", "--store", store, "--patience", "10"],
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 1, ended.stderr
    assert ended.stdout == ""
    return ended.stderr


@pytest.fixture(params=["memory", "emulator"])
def store(request: pytest.FixtureRequest) -> str:
    missing = can_emulate(os.environ)
    if request.param == "emulator" and missing is not None and os.environ.get("CI") != "true":
        pytest.skip(str(missing))
    return str(request.param)


def test_the_demo_names_the_error_of_functions_that_cannot_be_imported(
    checkout: Path, store: str
) -> None:
    broken(checkout, "logs.configure()\n", "import no_such_module\n")
    assert "No module named 'no_such_module'" in demo(checkout, store)


def test_the_demo_names_the_error_of_a_function_that_fails_at_every_call(
    checkout: Path, store: str
) -> None:
    broken(checkout, "    upload = upload_of(", "    raise LookupError\n")
    printed = demo(checkout, store)
    assert "No progress for 10 s: no function has stored the visit." in printed
    assert "The upload event got 500" in printed
    assert "LookupError" in printed
