"""Each command that `scripts/ops` advises can be typed as printed and is accepted."""

import shlex
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from infra.ops.exits import FAILED, OK
from infra.ops.invocation import CALLED_AS
from lumimd.domain.codes import ErrorCode
from lumimd.operations.legal_hold import hold
from lumimd.pipeline import commands
from tests.operations.conftest import ops_on
from tests.support.operators import QUEUE, SCHEDULE, OperatedServices, operator

PROGRAM = "../checkout/scripts/ops"
Given = Callable[[OperatedServices], Awaitable[None]]


async def failed_for_now(services: OperatedServices) -> None:
    await services.partial("v1", ErrorCode.SUMMARY_UNAVAILABLE)


async def failed_for_good(services: OperatedServices) -> None:
    await services.unreadable("v1")


async def silent(services: OperatedServices) -> None:
    await services.silent("v1")


async def retried_just_now(services: OperatedServices) -> None:
    await services.partial("v1")
    await commands.retry(services, "v1")
    await services.not_summarized_again("v1")


async def discarded(services: OperatedServices) -> None:
    await services.unreadable("v1")
    ended = await operator(services).services.operators.letter("v1")
    assert ended is not None
    letter = ended.letter.discarded("otto", "only noise", services.clock.now())
    await services.operators.save_letter(ended, letter)


async def held(services: OperatedServices) -> None:
    await services.unreadable("v1")
    await hold(operator(services), "v1", reason="case 17")


async def stuck(services: OperatedServices) -> None:
    await services.submitted("v1")
    services.clock.advance(timedelta(hours=1))


async def completed(services: OperatedServices) -> None:
    await services.completed("v1")


async def all_paused(services: OperatedServices) -> None:
    await services.queues.pause(QUEUE)
    await services.schedules.pause(SCHEDULE)


GIVEN = (
    failed_for_now,
    failed_for_good,
    silent,
    retried_just_now,
    discarded,
    held,
    stuck,
    completed,
    all_paused,
)
COMMANDS = (
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
TARGETS = (("--local",), ("--local", "--run", "run-a b"), ("--project", "p", "--region", "europe"))


def suggested(printed: str) -> list[list[str]]:
    """Return the words that follow the program's name in each printed command."""
    lines = [line[line.index(PROGRAM) :] for line in printed.splitlines() if PROGRAM in line]
    assert "scripts/ops" not in printed.replace(PROGRAM, "")
    return [shlex.split(line)[1:] for line in lines]


@pytest.mark.parametrize("given", GIVEN, ids=lambda given: given.__name__)
async def test_advised_commands_succeed_exactly_as_printed(
    given: Given, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CALLED_AS, PROGRAM)
    monkeypatch.setenv("COLUMNS", "40")  # a broken line could not be typed

    async def after(command: tuple[str, ...], target: tuple[str, ...]) -> OperatedServices:
        services = OperatedServices()
        await given(services)
        await ops_on(services, capsys)(*target, *command, "--yes")
        return services

    everything = [(TARGETS[0], command) for command in COMMANDS]
    everywhere = [(target, COMMANDS[0]) for target in TARGETS[1:]]
    for target, command in [*everything, *everywhere]:
        services = OperatedServices()
        await given(services)
        ended = await ops_on(services, capsys)(*target, *command, "--yes")
        for words in suggested(ended.out + ended.told):
            assert words[: len(target)] == list(target)
            again = await ops_on(await after(command, target), capsys)(*words, "--yes")
            allowed = {OK, FAILED} if "doctor" in words else {OK}
            assert again.code in allowed, f"{command}: {words}: {again.told}"


async def test_the_output_about_a_failed_visit_advises_retry_and_discard(
    services: OperatedServices, capsys: pytest.CaptureFixture[str]
) -> None:
    ops = ops_on(services, capsys)
    await services.partial("v1", ErrorCode.SUMMARY_UNAVAILABLE)
    shown = await ops("--local", "--run", "run-a", "show", "v1")
    assert "scripts/ops --local --run run-a retry v1" in shown.out
    assert "scripts/ops --local --run run-a discard v1 --reason" in shown.out
    again = await ops("--local", "retry", "v1", "--yes")
    assert "scripts/ops --local show v1" in again.out


async def test_no_refused_command_is_advised(
    services: OperatedServices, capsys: pytest.CaptureFixture[str]
) -> None:
    ops = ops_on(services, capsys)
    await failed_for_good(services)
    shown = await ops("show", "v1")
    assert "retry v1" not in shown.out
    await ops("discard", "v1", "--reason", "only noise", "--yes")
    assert "scripts/ops" not in (await ops("show", "v1")).out


async def test_each_problem_of_the_doctor_names_the_command_that_shows_details(
    services: OperatedServices, capsys: pytest.CaptureFixture[str]
) -> None:
    ops = ops_on(services, capsys)
    await stuck(services)
    await services.unreadable("v2")
    ended = await ops("--local", "doctor")
    assert "scripts/ops --local visits --stuck" in ended.out
    assert "scripts/ops --local dead-letters" in ended.out
    as_json = (await ops("--local", "doctor", "--json")).json
    commands_ = {each["subject"]: each["command"] for each in as_json["findings"]}
    assert commands_["stuck visits"] == ["visits", "--stuck"]
