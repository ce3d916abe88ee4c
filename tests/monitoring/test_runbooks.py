"""Every alert has a runbook with all sections, and its commands are valid."""

import re
from pathlib import Path

import pytest

from infra.ops.cli import parser
from tests.monitoring.alerting import policies
from tests.monitoring.runbooks import (
    FOLDER,
    SECTIONS,
    Command,
    commands,
    mentioned,
    runbooks,
    sections,
)
from tests.monitoring.test_events import in_the_source

KNOWN = parser()
README = FOLDER / "README.md"
WITHOUT_ALERT = {
    "rollback",
    "key-rotation",
    "provider-outage",
    "restore-from-backup",
    "data-deletion-request",
    "first-day-in-production",
}
OPS = [
    command
    for path in [*runbooks(), README]
    for command in [*commands(path), *mentioned(path)]
    if command.is_ops
]


@pytest.mark.parametrize("name", [*sorted(policies()), "budget", *sorted(WITHOUT_ALERT)])
def test_every_alert_has_a_runbook(name: str) -> None:
    assert (FOLDER / f"{name}.md").is_file()
    assert f"({name}.md)" in README.read_text()


def test_every_runbook_belongs_to_an_existing_alert_or_a_known_task() -> None:
    assert {path.stem for path in runbooks()} == {*policies(), "budget"} | WITHOUT_ALERT


@pytest.mark.parametrize("path", runbooks(), ids=lambda path: path.stem)
def test_each_runbook_has_all_sections_and_ends_with_a_check(path: Path) -> None:
    assert sections(path) == list(SECTIONS)
    last = path.read_text().rpartition(SECTIONS[-1])[2]
    assert "scripts/ops" in last


@pytest.mark.parametrize("path", runbooks(), ids=lambda path: path.stem)
def test_the_title_of_a_runbook_equals_the_display_name_of_its_alert(path: Path) -> None:
    policy = policies().get(path.stem)
    if policy is not None:
        assert path.read_text().startswith(f"# {policy.display_name}\n")


@pytest.mark.parametrize("command", OPS, ids=lambda each: f"{each.runbook}: {each.line}")
def test_the_ops_cli_accepts_every_command_of_the_runbooks(command: Command) -> None:
    words = {"CODE": "no_speech", "NAME": "model"}
    KNOWN.parse_args(command.arguments(**words))  # exits for an unknown command


@pytest.mark.parametrize("path", [*runbooks(), README], ids=lambda path: path.stem)
def test_runbook_commands_that_need_the_cloud_are_marked_as_such(path: Path) -> None:
    for command in commands(path):
        assert command.is_ops or command.cloud_only, command.line


@pytest.mark.parametrize("path", [*runbooks(), README], ids=lambda path: path.stem)
def test_the_events_in_log_queries_of_a_runbook_exist(path: Path) -> None:
    for command in commands(path):
        asked = re.findall(r"jsonPayload\.event=\(?((?:\"\w+\"(?: OR )?)+)", command.line)
        names = {name for found in asked for name in re.findall(r'"(\w+)"', found)}
        assert names <= in_the_source()


@pytest.mark.parametrize("path", [*runbooks(), README], ids=lambda path: path.stem)
def test_the_links_of_a_runbook_lead_to_files(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", path.read_text()):
        assert (path.parent / target).exists(), target


def test_the_check_of_runbook_commands_rejects_an_unknown_option() -> None:
    with pytest.raises(SystemExit):
        KNOWN.parse_args(Command("x", "scripts/ops visit --stuk", False).arguments())
