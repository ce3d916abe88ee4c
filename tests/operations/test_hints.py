"""Each command that the tool advises can be typed as printed, and is accepted."""

import shlex
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from infra.ops.cli import OK, PROBLEMS
from infra.ops.invocation import CALLED_AS
from lumimd.domain.errors import ErrorCode
from lumimd.operations.legal_hold import hold
from lumimd.pipeline import commands
from tests.operations.conftest import ops_on
from tests.support.operators import QUEUE, SCHEDULE, OperatedParts, operator

PROGRAM = "../checkout/scripts/ops"
Given = Callable[[OperatedParts], Awaitable[None]]


async def failed_for_now(parts: OperatedParts) -> None:
    await parts.partial("v1", ErrorCode.SUMMARY_UNAVAILABLE)


async def failed_for_good(parts: OperatedParts) -> None:
    await parts.unreadable("v1")


async def silent(parts: OperatedParts) -> None:
    await parts.silent("v1")


async def retried_a_moment_ago(parts: OperatedParts) -> None:
    await parts.partial("v1")
    await commands.retry(parts, "v1")
    await parts.not_summarized_again("v1")


async def discarded(parts: OperatedParts) -> None:
    await parts.unreadable("v1")
    ended = await operator(parts).parts.operators.letter("v1")
    assert ended is not None
    letter = ended.letter.discarded("otto", "only noise", parts.clock.now())
    await parts.operators.save_letter(ended, letter)


async def held(parts: OperatedParts) -> None:
    await parts.unreadable("v1")
    await hold(operator(parts), "v1", reason="case 17")


async def stuck(parts: OperatedParts) -> None:
    await parts.submitted("v1")
    parts.clock.advance(timedelta(hours=1))


async def completed(parts: OperatedParts) -> None:
    await parts.completed("v1")


async def all_paused(parts: OperatedParts) -> None:
    await parts.queues.pause(QUEUE)
    await parts.schedules.pause(SCHEDULE)


GIVEN = (
    failed_for_now,
    failed_for_good,
    silent,
    retried_a_moment_ago,
    discarded,
    held,
    stuck,
    completed,
    all_paused,
)
ASKED = (
    ("show", "v1"),
    ("retry", "v1"),
    ("rerun", "v1", "--from", "summary"),
    ("rerun", "v1", "--from", "submission"),
    ("discard", "v1", "--reason", "only noise"),
    ("delete", "v1"),
    ("bulk-retry",),
    ("doctor",),
    ("visits",),
    ("stats",),
    ("queues", "pause", "no-such-queue"),
)
PLACES = (("--local",), ("--local", "--run", "run-a b"), ("--project", "p", "--region", "europe"))


def advised(printed: str) -> list[list[str]]:
    """The words after the program in each command of the output."""
    lines = [line[line.index(PROGRAM) :] for line in printed.splitlines() if PROGRAM in line]
    assert "scripts/ops" not in printed.replace(PROGRAM, "")
    return [shlex.split(line)[1:] for line in lines]


@pytest.mark.parametrize("given", GIVEN, ids=lambda given: given.__name__)
async def test_advised_commands_run_as_printed(
    given: Given, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CALLED_AS, PROGRAM)
    monkeypatch.setenv("COLUMNS", "40")  # a command that is broken in two cannot be typed

    async def after(command: tuple[str, ...], place: tuple[str, ...]) -> OperatedParts:
        parts = OperatedParts()
        await given(parts)
        await ops_on(parts, capsys)(*place, *command, "--yes")
        return parts

    everything = [(PLACES[0], command) for command in ASKED]
    everywhere = [(place, ASKED[0]) for place in PLACES[1:]]
    for place, command in [*everything, *everywhere]:
        parts = OperatedParts()
        await given(parts)
        ended = await ops_on(parts, capsys)(*place, *command, "--yes")
        for words in advised(ended.out + ended.told):
            assert words[: len(place)] == list(place)
            again = await ops_on(await after(command, place), capsys)(*words, "--yes")
            allowed = {OK, PROBLEMS} if "doctor" in words else {OK}
            assert again.code in allowed, f"{command}: {words}: {again.told}"


async def test_a_failed_visit_is_helped_by_what_is_printed(
    parts: OperatedParts, capsys: pytest.CaptureFixture[str]
) -> None:
    ops = ops_on(parts, capsys)
    await parts.partial("v1", ErrorCode.SUMMARY_UNAVAILABLE)
    shown = await ops("--local", "--run", "run-a", "show", "v1")
    assert "scripts/ops --local --run run-a retry v1" in shown.out
    assert "scripts/ops --local --run run-a discard v1 --reason" in shown.out
    again = await ops("--local", "retry", "v1", "--yes")
    assert "scripts/ops --local show v1" in again.out


async def test_nothing_is_advised_that_would_be_refused(
    parts: OperatedParts, capsys: pytest.CaptureFixture[str]
) -> None:
    ops = ops_on(parts, capsys)
    await failed_for_good(parts)
    shown = await ops("show", "v1")
    assert "retry v1" not in shown.out
    await ops("discard", "v1", "--reason", "only noise", "--yes")
    assert "scripts/ops" not in (await ops("show", "v1")).out


async def test_the_doctor_names_the_command_that_shows_more(
    parts: OperatedParts, capsys: pytest.CaptureFixture[str]
) -> None:
    ops = ops_on(parts, capsys)
    await stuck(parts)
    await parts.unreadable("v2")
    ended = await ops("--local", "doctor")
    assert "scripts/ops --local visits --stuck" in ended.out
    assert "scripts/ops --local dead-letters" in ended.out
    as_json = (await ops("--local", "doctor", "--json")).json
    commands_ = {each["subject"]: each["command"] for each in as_json["findings"]}
    assert commands_["stuck visits"] == ["visits", "--stuck"]
