"""`scripts/ops`: the operators' commands, for the local stack or a project of the cloud.

Exit codes: 0 done, 1 a problem was found or a part failed, 2 a usage error, 130 interrupted,
141 the reader closed the output (`scripts/ops visits | head`).
"""

import argparse
import asyncio
import os
import pkgutil
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from infra.ops.arguments import parser
from infra.ops.exits import INTERRUPTED, OK, fail, run_to_exit
from infra.ops.invocation import Invocation
from infra.ops.local_stack import RUNS, NoStack, choose, running

if TYPE_CHECKING:
    from rich.console import Console

    from infra.ops.connection import Connection


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        return run_to_exit(lambda: _run(parser().parse_args(arguments)))
    except KeyboardInterrupt:
        return fail("Stopped. The audit log has every change that was begun.", INTERRUPTED)


def _run(args: argparse.Namespace) -> int:
    if args.run:
        if args.project:
            return fail("--run names a local stack, and --project a project: give one of them.")
        args.local = True
    try:
        addresses = choose(RUNS, args.run) if args.local else None
    except NoStack as error:
        return fail(error)
    project = args.project or os.environ.get("GOOGLE_CLOUD_PROJECT")
    if addresses is None and not project:
        return fail(_no_target())
    return asyncio.run(_connect_and_run(args, project if addresses is None else None))


def _no_target() -> str:
    if any(not each.in_memory for each in running(RUNS)):
        return "Name the place: --local for the stack that runs here, or --project P for the cloud."
    return "Name the project: --project P, or set GOOGLE_CLOUD_PROJECT. No local stack runs here."


async def _connect_and_run(args: argparse.Namespace, project: str | None) -> int:
    """Connect and run the command. This function is the first to import SDKs and the pipeline."""
    import logging

    from infra.ops.connection import cloud, local, operator_name
    from infra.ops.console import console
    from lumimd.telemetry import logs

    logs.configure(to=sys.stderr, level=logging.CRITICAL)  # commands print their own messages
    connection = cloud(project, args.region) if project else local(choose(RUNS, args.run))
    name = operator_name(in_cloud=project is not None)
    return await run(args, connection, name, console(stderr=True))


async def run(args: argparse.Namespace, connection: "Connection", name: str, err: "Console") -> int:
    """Run the command on the connection's services; an error becomes a message and an exit code."""
    from infra.ops.console import console
    from infra.ops.session import Session, failure_of
    from lumimd.operations.operator import Operator

    session = Session(
        operator=Operator(name, connection.services),
        where=connection.where,
        configuration=connection.configuration,
        invocation=Invocation.of(args),
        as_json=args.json,
        yes=args.yes,
        out=console(stderr=False),
        err=err,
    )
    command: Callable[[Session, argparse.Namespace], Awaitable[int | None]]
    command = pkgutil.resolve_name(f"infra.ops.{args.command}")
    try:
        return await command(session, args) or OK
    except Exception as error:
        failure = failure_of(error, session)
        if failure is None:
            raise
        code, message = failure
        session.notify(message)
        return code
