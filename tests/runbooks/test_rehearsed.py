"""The commands of each runbook run literally, in order, on a pipeline with the runbook's fault.

Every command ends with exit code 0, except that `scripts/ops doctor` in the diagnosis ends with 1
if it must name the fault. Runbooks mark commands that need the cloud; this module counts them.
"""

import shlex

import pytest

from tests.monitoring.runbooks import FOLDER, SECTIONS, Block, blocks, runbooks
from tests.operations.conftest import Ops, ops_on
from tests.runbooks.faults import OTHER, REHEARSALS, VISIT
from tests.runbooks.live import LiveServices

CLOUD_ONLY_BLOCKS = 39
"""Blocks that need the cloud; raise the number when you add such a block to a runbook."""

ON_THE_STACK = {"data-deletion-request", "restore-from-backup"}
"""Runbooks that other tests rehearse on emulators: they need a shell loop, or a database."""

WORDS = {"VISIT": VISIT, "OTHER_VISIT": OTHER, "UID": "user-1"}
CAUSE, REMEDY, OVER = SECTIONS[1:]


def paths() -> list[str]:
    return [*(path.stem for path in runbooks() if path.stem not in ON_THE_STACK), "README"]


def test_every_runbook_has_a_rehearsal() -> None:
    assert set(paths()) == set(REHEARSALS)


def test_the_runbooks_have_the_expected_number_of_cloud_only_blocks() -> None:
    marked = [
        block for path in FOLDER.glob("*.md") for block in cloud_only(path.stem) if block.cloud_only
    ]
    assert len(marked) == CLOUD_ONLY_BLOCKS
    for block in marked:
        assert any(
            "gcloud" in each or "terraform" in each or "release" in each for each in block.lines
        )


def cloud_only(name: str) -> list[Block]:
    return blocks(FOLDER / f"{name}.md") if name not in ("operators-session",) else []


@pytest.mark.parametrize("name", paths())
async def test_the_commands_of_a_runbook_correct_its_rehearsed_fault(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    rehearsal = REHEARSALS[name]
    services = LiveServices()
    await rehearsal.fault(services)
    capsys.readouterr()
    ops = ops_on(services, capsys)
    words = {**WORDS, **rehearsal.words}
    here = [block for block in blocks(FOLDER / f"{name}.md") if not block.cloud_only]
    printed: dict[str, str] = {}
    for section in ("", CAUSE, REMEDY, OVER):
        if section == REMEDY:
            await rehearsal.repaired(services)
        if section == OVER:
            await rehearsal.passes(services)
            capsys.readouterr()
        lines = [line for block in here if block.section == section for line in block.lines]
        doctor = rehearsal.doctor if section == CAUSE else 0
        printed[section] = await run_lines(ops, lines, words, doctor)
        if section == OVER and "scripts/ops visits --stuck" in lines:
            assert (await ops("visits", "--stuck", "--json")).json == {"visits": []}
    for text in rehearsal.shown:
        assert text in printed[CAUSE]
    for text in rehearsal.gone:
        assert text not in printed[OVER], printed[OVER]


async def run_lines(ops: Ops, lines: list[str], words: dict[str, str], doctor: int) -> str:
    """Run each line with its placeholders replaced; return the output of all lines."""
    printed = ""
    for line in lines:
        program, *arguments = shlex.split(line, comments=True)
        assert program == "scripts/ops", line
        typed = [words.get(word, word) for word in arguments]
        pace = ["--per-minute", "6000"] if typed[0] == "bulk-retry" else []
        ended = await ops(*typed, *pace, "--yes")
        assert ended.code == (doctor if typed[0] == "doctor" else 0), (
            f"{line}: {ended.told}{ended.out}"
        )
        printed += ended.out + ended.told
    return printed


@pytest.mark.parametrize("name", [path.stem for path in runbooks()])
def test_a_runbook_has_only_known_placeholders_in_capitals(name: str) -> None:
    known = {"VISIT", "OTHER_VISIT", "UID", "CODE", "NAME"}
    for block in blocks(FOLDER / f"{name}.md"):
        for line in block.lines:
            if line.startswith("scripts/ops") and not block.cloud_only:
                words = shlex.split(line)[1:]
                assert {word for word in words if word.isupper()} <= known, line
