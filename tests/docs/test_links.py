"""The diagram, the commands and the links of the documentation are correct."""

import re
import subprocess
from pathlib import Path

import pytest

from docs.state_diagram import README, draw
from infra.local.stack import ENTRY_POINTS

ROOT = Path(__file__).parents[2]
TEXT = README.read_text()


def test_the_state_diagram_matches_the_transition_table() -> None:
    assert draw() in TEXT, "run: scripts/python docs/state_diagram.py --write"


def test_the_readme_explains_every_entry_point() -> None:
    for entry_point in ENTRY_POINTS:
        assert f"`{entry_point}`" in TEXT


def commands() -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", TEXT, flags=re.DOTALL)
    lines = "".join(blocks).splitlines()
    return [line.split(" #")[0].strip() for line in lines if not line.startswith("#") and line]


@pytest.mark.parametrize("command", commands())
def test_every_command_of_the_readme_exists_with_its_options(command: str) -> None:
    """Commands that run long are only checked for their options; end-to-end tests run them."""
    script, *arguments = command.split()
    assert (ROOT / script).is_file(), command
    if script == "scripts/summarize":
        module = "infra.local.offline.summarize"
        ran = ["scripts/python", "-m", module, *arguments]
        assert "completed" in subprocess.check_output(ran, cwd=ROOT, text=True)
    if script in ("scripts/demo", "scripts/dev"):
        module = script.replace("scripts/", "infra.local.")
        flags = [argument for argument in arguments if argument.startswith("--")]
        shown = subprocess.run(
            ["scripts/python", "-m", module, "--help"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert all(flag in shown for flag in flags), command


def test_every_link_into_the_repository_leads_to_a_file() -> None:
    for page in (README, *ROOT.glob("docs/**/*.md"), ROOT / "CONTRIBUTING.md"):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
