"""`scripts/ops`: what operators ask and do, against the local stack or a project of the cloud.

Exit codes: 0 done, 1 something is wrong or some of it failed, 2 a usage error, 130 interrupted,
141 the reader of the output closed it (`scripts/ops visits | head`), as a shell counts SIGPIPE.
"""

import argparse
import asyncio
import os
import pkgutil
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from infra.ops.arguments import parser
from infra.ops.invocation import Invocation
from infra.ops.local_stack import RUNS, NoStack, choose, running
from infra.ops.pipes import CLOSED as CLOSED
from infra.ops.pipes import write_no_more

if TYPE_CHECKING:
    from rich.console import Console

    from infra.ops.connection import Connection

OK: Final = 0
PROBLEMS: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 130


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code."""
    try:
        try:
            code = _run(parser().parse_args(arguments))
        finally:  # also after --help, which ends by SystemExit
            sys.stdout.flush()
            sys.stderr.flush()
    except BrokenPipeError:
        write_no_more()
        return CLOSED
    except KeyboardInterrupt:
        return _told("Stopped. The audit log has every change that was begun.", INTERRUPTED)
    return code


def _run(wanted: argparse.Namespace) -> int:
    if wanted.run:
        if wanted.project:
            return _told("--run names a local stack, and --project a project: give one of them.")
        wanted.local = True
    try:
        addresses = choose(RUNS, wanted.run) if wanted.local else None
    except NoStack as error:
        return _told(str(error))
    project = wanted.project or os.environ.get("GOOGLE_CLOUD_PROJECT")
    if addresses is None and not project:
        return _told(_no_place())
    return asyncio.run(_connected(wanted, project if addresses is None else None))


def _no_place() -> str:
    if any(not each.in_memory for each in running(RUNS)):
        return "Name the place: --local for the stack that runs here, or --project P for the cloud."
    return "Name the project: --project P, or set GOOGLE_CLOUD_PROJECT. No local stack runs here."


async def _connected(wanted: argparse.Namespace, project: str | None) -> int:
    """Connect and run the command. The SDKs and the pipeline are imported from here on."""
    import logging

    from infra.ops.connection import cloud, local
    from infra.ops.endings import console
    from infra.ops.who import operator_name
    from lumimd.telemetry import logs

    logs.configure(to=sys.stderr, level=logging.CRITICAL)  # what matters here is said in sentences
    here = cloud(project, wanted.region) if project else local(choose(RUNS, wanted.run))
    name = operator_name(in_cloud=project is not None)
    return await run(wanted, here, name, console(stderr=True))


async def run(
    wanted: argparse.Namespace, connection: "Connection", name: str, told: "Console"
) -> int:
    """Run the command on parts that are there; what goes wrong becomes a sentence and a code."""
    from infra.ops.desk import Desk
    from infra.ops.endings import console, sentence_of
    from lumimd.operations.operator import Operator

    desk = Desk(
        operator=Operator(name, connection.services),
        where=connection.where,
        configuration=connection.configuration,
        invocation=Invocation.of(wanted),
        as_json=wanted.json,
        yes=wanted.yes,
        out=console(stderr=False),
        told=told,
    )
    command: Callable[[Desk, argparse.Namespace], Awaitable[int]]
    command = pkgutil.resolve_name(f"infra.ops.{wanted.command}")
    try:
        return await command(desk, wanted)
    except Exception as error:
        ending = sentence_of(error, desk)
        if ending is None:
            raise
        desk.say(ending.sentence)
        return ending.code


def _told(sentence: str, code: int = USAGE) -> int:
    """Say a sentence without rich, which is not loaded yet."""
    print(sentence, file=sys.stderr)
    return code
