import json
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import pytest

from infra.ops.cli import parser, run
from infra.ops.connection import Connection
from infra.ops.console import console
from lumimd.operations.operator import Operator
from tests.support.operators import OperatedServices, operator


class Ended(NamedTuple):
    """The exit code and the output of a command."""

    code: int
    out: str
    told: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Ops = Callable[..., Awaitable[Ended]]


@pytest.fixture
def services() -> OperatedServices:
    return OperatedServices()


@pytest.fixture
def olga(services: OperatedServices) -> Operator:
    return operator(services)


def ops_on(
    services: OperatedServices, capsys: pytest.CaptureFixture[str], name: str = "olga"
) -> Ops:
    """Return a function that runs one command on `services`, as an operator without a terminal."""

    async def run_one(*arguments: str) -> Ended:
        wanted = parser().parse_args(list(arguments))
        connection = Connection(services, "the test", ())
        code = await run(wanted, connection, name, console(stderr=True))
        return Ended(code, *capsys.readouterr())

    return run_one


@pytest.fixture
def ops(
    services: OperatedServices, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Ops:
    """Return a function that runs one command with an output width of 200 columns."""
    monkeypatch.setenv("COLUMNS", "200")
    return ops_on(services, capsys)
