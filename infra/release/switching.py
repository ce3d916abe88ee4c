"""The switches: how they stand, and turning one, with a reason for the audit log."""

import argparse
import asyncio
import logging
import os
import sys
from typing import Any, Final, Protocol, cast

from google.api_core.exceptions import GoogleAPICallError
from google.auth.exceptions import GoogleAuthError

from infra.local.stack import ROOT
from infra.ops.asked import reason
from infra.ops.connection import Connection, cloud, local
from infra.ops.invocation import default_region
from infra.ops.local_stack import NoStack, choose
from infra.ops.who import operator_name
from lumimd.coordination.flags import KEPT_FOR
from lumimd.coordination.shared_document import Shared
from lumimd.domain.errors import Transient
from lumimd.operations.audit import audited
from lumimd.operations.operator import Operator, OperatorServices
from lumimd.policies.flags import KEY, PER_USER, Flags, Setting, Switch
from lumimd.ports.shared_documents import SharedDocuments
from lumimd.telemetry import logs

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2


class FlagServices(OperatorServices, Protocol):
    """The services that somebody who turns switches needs."""

    @property
    def flag_documents(self) -> SharedDocuments[Flags]: ...


def add_command(commands: Any) -> None:
    """Add `flags` to the commands of `scripts/release`."""
    flags = commands.add_parser("flags", help="what is switched off, and for whom it is on")
    flags.add_argument("switch", nargs="?", choices=[each.value for each in Switch])
    flags.add_argument("to", nargs="?", type=setting, metavar="on|off|PERCENT")
    flags.add_argument("--reason", type=reason, help="for the audit log; needed for a change")
    add_place(flags)
    flags.set_defaults(command=_command)


def add_place(command: argparse.ArgumentParser) -> None:
    """Add the options that say whose switches are meant."""
    where = command.add_mutually_exclusive_group()
    where.add_argument("--local", action="store_true", help="the stack of scripts/dev")
    where.add_argument("--project", metavar="P", help="default: GOOGLE_CLOUD_PROJECT")
    command.add_argument("--run", metavar="NAME", help="which local stack, if several run")
    command.add_argument("--region", default=default_region(), help=argparse.SUPPRESS)


def problem_of_place(wanted: argparse.Namespace) -> str | None:
    """What the options of `add_place` leave open. A run is a local stack, as in `scripts/ops`."""
    if wanted.run and wanted.project:
        return "--run names a local stack, and --project a project: give one of them."
    wanted.local = wanted.local or bool(wanted.run)
    if not wanted.local and not (wanted.project or os.environ.get("GOOGLE_CLOUD_PROJECT")):
        return "Which stack? Say --local, or --project P for the cloud."
    return None


def setting(text: str) -> Setting:
    """`on`, `off`, or on for so many percent of the users."""
    if text in ("on", "off"):
        return Setting(on=text == "on")
    percent = float(text)
    if not 0 <= percent <= 100:
        raise argparse.ArgumentTypeError("on, off, or a percentage of the users")
    return Setting(percent=percent)


async def turn(operator: Operator, switch: Switch, to: Setting, *, reason: str) -> Flags:
    """Have the switch stand so, for every instance within some seconds; how all of them stand.

    Raises:
        Transient: the store is not available.
    """
    documents = cast(FlagServices, operator.services).flag_documents
    found = await documents.get(KEY)
    before = (found[0] if found else Flags()).of(switch)

    def change(stored: Flags | None) -> tuple[Flags, Flags]:
        flags = (stored or Flags()).model_copy(update={switch.value: to})
        return flags, flags

    noted = {"on": before.on, "percent": before.percent}
    async with audited(operator, "turn_switch", switch.value, reason=reason, before=noted) as note:
        flags = await Shared(documents).change(KEY, change)
        note.after = {"on": to.on, "percent": to.percent}
    return flags


def _command(wanted: argparse.Namespace) -> int:
    logs.configure(to=sys.stderr, level=logging.CRITICAL)  # what matters is said in sentences
    problem = _problem(wanted)
    if problem is not None:
        print(problem, file=sys.stderr)
        return USAGE
    try:
        connection = connected(wanted)
        operator = Operator(operator_name(in_cloud=not wanted.local), connection.services)
        flags = asyncio.run(_turned(operator, wanted))
    except NoStack as error:
        print(error, file=sys.stderr)
        return USAGE
    except (Transient, GoogleAPICallError, GoogleAuthError) as error:
        print(f"The store does not answer ({type(error).__name__}).", file=sys.stderr)
        return FAILED
    for switch in Switch:
        stands = flags.of(switch)
        print(f"{switch:<26}{_words(stands)}")
    if wanted.to is not None:
        print(f"Every instance knows within {KEPT_FOR.total_seconds():.0f} s.", file=sys.stderr)
    return OK


async def _turned(operator: Operator, wanted: argparse.Namespace) -> Flags:
    if wanted.to is not None:
        return await turn(operator, Switch(wanted.switch), wanted.to, reason=wanted.reason)
    found = await cast(FlagServices, operator.services).flag_documents.get(KEY)
    return found[0] if found else Flags()


def _problem(wanted: argparse.Namespace) -> str | None:
    if wanted.switch is not None and wanted.to is None:
        return "How is it to stand? on, off, or a percentage of the users."
    if wanted.to is not None and wanted.reason is None:
        return "Why? The audit log wants to know: --reason '...'"
    if wanted.to is not None and wanted.to.percent != 100 and wanted.switch not in PER_USER:
        return f"{wanted.switch} is on or off for everybody."
    return problem_of_place(wanted)


def connected(wanted: argparse.Namespace) -> Connection:
    """The stack that is meant; raises NoStack."""
    if wanted.local:
        return local(choose(ROOT / ".run", wanted.run))
    return cloud(wanted.project or os.environ["GOOGLE_CLOUD_PROJECT"], wanted.region)


def _words(stands: Setting) -> str:
    if not stands.on:
        return "off"
    return "on" if stands.percent == 100 else f"on for {stands.percent:g} % of the users"
