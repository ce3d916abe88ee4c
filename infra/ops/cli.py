"""`scripts/ops`: what operators ask and do, against the local stack or a project of the cloud.

Exit codes: 0 done, 1 something is wrong or some of it failed, 2 it was not asked rightly.
"""

import argparse
import asyncio
import logging
import os
import sys
from typing import Any, Final

from google.api_core.exceptions import Forbidden
from google.auth.exceptions import GoogleAuthError
from rich.console import Console

from infra.local.stack import ROOT
from infra.ops import letters, services, visits, watching
from infra.ops.connection import DEFAULT_REGION, Connection, NeedsSetting, cloud, local
from infra.ops.desk import Desk, Unasked
from infra.ops.local_stack import NoStack, choose
from infra.ops.who import operator_name
from lumimd import logs
from lumimd.errors import REFUSALS, Refused, Transient
from lumimd.operations.operator import Operator
from lumimd.operations.refusals import OperatorRefused

OK: Final = 0
PROBLEMS: Final = 1
USAGE: Final = 2

PIPE_WIDTH: Final = 160


def parser() -> argparse.ArgumentParser:
    """Every command and option there is."""
    common = _common(argparse.SUPPRESS)
    made = argparse.ArgumentParser(
        prog="scripts/ops",
        description="See how the visits do, and help those that do not.",
        epilog="With neither --local nor --project: the project of GOOGLE_CLOUD_PROJECT.",
        parents=[_common(None)],
    )
    commands = made.add_subparsers(metavar="COMMAND", required=True)
    for module in (visits, letters, services, watching):
        module.add_commands(commands, common)
    return made


def _common(unsaid: Any) -> argparse.ArgumentParser:
    """The options that may stand before the command or after it; `unsaid` is their default."""

    def default(value: object) -> Any:
        return unsaid if unsaid is argparse.SUPPRESS else value

    common = argparse.ArgumentParser(add_help=False)
    where = common.add_mutually_exclusive_group()
    where.add_argument(
        "--local", action="store_true", default=default(False), help="the stack of scripts/dev"
    )
    where.add_argument(
        "--project", metavar="P", default=default(None), help="a project of the cloud"
    )
    common.add_argument(
        "--run", metavar="NAME", default=default(None), help="which local stack, if several run"
    )
    common.add_argument(
        "--region",
        default=default(DEFAULT_REGION),
        help=f"of the cloud; default: {DEFAULT_REGION}",
    )
    common.add_argument(
        "--json",
        action="store_true",
        default=default(False),
        help="one JSON document on standard output",
    )
    common.add_argument(
        "--yes", action="store_true", default=default(False), help="do not ask before a change"
    )
    return common


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code."""
    wanted = parser().parse_args(arguments)
    told = Console(stderr=True, highlight=False, soft_wrap=True)
    logs.configure(to=sys.stderr, level=logging.CRITICAL)  # what matters here is said in sentences
    try:
        return asyncio.run(_run(wanted, told))
    except (NoStack, NeedsSetting) as error:
        told.print(str(error), markup=False)
        return USAGE
    except KeyboardInterrupt:
        told.print("Stopped. What was begun is in the audit log.")
        return 130


async def _run(wanted: argparse.Namespace, told: Console) -> int:
    connection = _connected(wanted)
    if connection is None:
        told.print("Which stack? Say --local, or --project P for the cloud.")
        return USAGE
    name = operator_name(in_cloud=not wanted.local)
    return await run(wanted, connection, name, told)


async def run(wanted: argparse.Namespace, connection: Connection, name: str, told: Console) -> int:
    """Run the command on parts that are there; what goes wrong becomes a sentence and a code."""
    desk = Desk(
        operator=Operator(name, connection.parts),
        where=connection.where,
        configuration=connection.configuration,
        as_json=wanted.json,
        yes=wanted.yes,
        # What goes into a file or a pipe has no edge to be broken at.
        out=Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH),
        told=told,
    )
    try:
        code: int = await wanted.command(desk, wanted)
    except Unasked:
        desk.say("This changes something, and there is no terminal to ask at. Say --yes.")
        return USAGE
    except Refused as refusal:
        wait = f" Ask again in {refusal.retry_after_s:.0f} s." if refusal.retry_after_s else ""
        desk.say(f"{REFUSALS[refusal.code]}{wait} ({refusal.code})")
        return PROBLEMS
    except OperatorRefused as refusal:
        desk.say(f"{refusal} ({refusal.code})")
        return PROBLEMS
    except GoogleAuthError:
        desk.say("You are not signed in: gcloud auth application-default login")
        return USAGE
    except Forbidden:
        desk.say(f"Your account may not do this in {connection.where}.")
        return PROBLEMS
    except Transient:
        desk.say(f"The store of {connection.where} does not answer. Is it up? Try: doctor")
        return PROBLEMS
    return code


def _connected(wanted: argparse.Namespace) -> Connection | None:
    if wanted.local:
        return local(choose(ROOT / ".run", wanted.run))
    project = wanted.project or os.environ.get("GOOGLE_CLOUD_PROJECT")
    return cloud(project, wanted.region) if project else None
