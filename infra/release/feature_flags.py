"""`scripts/release flags`: show the feature flags, or set one with a reason for the audit log."""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, cast

from google.api_core.exceptions import GoogleAPICallError
from google.auth.exceptions import GoogleAuthError

from infra.local.stack import ROOT
from infra.ops.argument_types import reason
from infra.ops.connection import Connection, cloud, local
from infra.ops.exits import FAILED, OK, fail
from infra.ops.identity import operator_name
from infra.ops.invocation import default_region
from infra.ops.local_stack import NoStack, choose
from lumimd.coordination.shared_document import Shared
from lumimd.domain.errors import Transient
from lumimd.operations.audit import audited
from lumimd.operations.operator import Operator, OperatorServices
from lumimd.policies.flags import KEY, PER_USER, Flags, Setting, Switch
from lumimd.policies.keeping import FLAGS_KEPT_FOR
from lumimd.ports.shared_documents import SharedDocuments
from lumimd.telemetry import logs


class FlagServices(OperatorServices, Protocol):
    """The services of an operator, and the document of the feature flags."""

    @property
    def flag_documents(self) -> SharedDocuments[Flags]: ...


def add_command(commands: Any) -> None:
    """Add `flags` to the commands of `scripts/release`."""
    flags = commands.add_parser("flags", help="show the feature flags, or set one")
    flags.add_argument("switch", nargs="?", choices=[each.value for each in Switch])
    flags.add_argument("to", nargs="?", type=setting, metavar="on|off|PERCENT")
    flags.add_argument("--reason", type=reason, help="for the audit log; needed for a change")
    add_target(flags)
    flags.set_defaults(command=_command)


def add_target(command: argparse.ArgumentParser) -> None:
    """Add the options that name the stack or project."""
    target = command.add_mutually_exclusive_group()
    target.add_argument("--local", action="store_true", help="the stack of scripts/dev")
    target.add_argument("--project", metavar="P", help="default: GOOGLE_CLOUD_PROJECT")
    command.add_argument("--run", metavar="NAME", help="which local stack, if several run")
    command.add_argument("--region", default=default_region(), help=argparse.SUPPRESS)


def target_problem(args: argparse.Namespace) -> str | None:
    """The problem of the options of `add_target`; `--run` implies `--local`."""
    if args.run and args.project:
        return "--run names a local stack, and --project a project: give one of them."
    args.local = args.local or bool(args.run)
    if not args.local and not (args.project or os.environ.get("GOOGLE_CLOUD_PROJECT")):
        return "Which stack? Say --local, or --project P for the cloud."
    return None


def setting(text: str) -> Setting:
    """`on`, `off`, or the percentage of the users for a rollout."""
    if text in ("on", "off"):
        return Setting(on=text == "on")
    percent = float(text)
    if not 0 <= percent <= 100:
        raise argparse.ArgumentTypeError("on, off, or a percentage of the users")
    return Setting(percent=percent)


async def read_flags(operator: Operator) -> Flags:
    """The stored flags; the defaults if none are stored.

    Raises:
        Transient: the store is not available.
    """
    found = await cast(FlagServices, operator.services).flag_documents.get(KEY)
    return found[0] if found else Flags()


async def set_switch(operator: Operator, switch: Switch, to: Setting, *, reason: str) -> Flags:
    """Set a switch for every instance, within KEPT_FOR; all flags after the change.

    Raises:
        Transient: the store is not available.
    """
    before = (await read_flags(operator)).of(switch)

    def change(stored: Flags | None) -> tuple[Flags, Flags]:
        flags = (stored or Flags()).model_copy(update={switch.value: to})
        return flags, flags

    noted = {"on": before.on, "percent": before.percent}
    documents = cast(FlagServices, operator.services).flag_documents
    async with audited(operator, "turn_switch", switch.value, reason=reason, before=noted) as note:
        flags = await Shared(documents).change(KEY, change)
        note.after = {"on": to.on, "percent": to.percent}
    return flags


def run_on_flags(
    args: argparse.Namespace,
    problem: str | None,
    change: Callable[[Operator], Coroutine[Any, Any, Flags]],
    show: Callable[[Flags], None],
) -> int:
    """Change the flags if `args.to` is given, and show them; the exit code.

    `problem` is the message of a usage error.
    """
    logs.configure(to=sys.stderr, level=logging.CRITICAL)  # commands print their own messages
    if problem is not None:
        return fail(problem)
    try:
        operator = Operator(operator_name(in_cloud=not args.local), connect(args).services)
        flags = asyncio.run(read_flags(operator) if args.to is None else change(operator))
    except NoStack as error:
        return fail(error)
    except (Transient, GoogleAPICallError, GoogleAuthError) as error:
        return fail(f"The store does not answer ({type(error).__name__}).", FAILED)
    show(flags)
    if args.to is not None:
        print(
            f"Every instance knows within {FLAGS_KEPT_FOR.total_seconds():.0f} s.", file=sys.stderr
        )
    return OK


def connect(args: argparse.Namespace) -> Connection:
    """The connection to the named stack or project.

    Raises:
        NoStack: no local stack, or several.
    """
    if args.local:
        return local(choose(ROOT / ".run", args.run))
    return cloud(args.project or os.environ["GOOGLE_CLOUD_PROJECT"], args.region)


def _command(args: argparse.Namespace) -> int:
    return run_on_flags(
        args,
        _problem(args),
        lambda operator: set_switch(operator, Switch(args.switch), args.to, reason=args.reason),
        _show,
    )


def _problem(args: argparse.Namespace) -> str | None:
    if args.switch is not None and args.to is None:
        return "How is it to stand? on, off, or a percentage of the users."
    if args.to is not None and args.reason is None:
        return "Why? The audit log wants to know: --reason '...'"
    if args.to is not None and args.to.percent != 100 and args.switch not in PER_USER:
        return f"{args.switch} is on or off for everybody."
    return target_problem(args)


def _show(flags: Flags) -> None:
    for switch in Switch:
        print(f"{switch:<26}{_words(flags.of(switch))}")


def _words(setting: Setting) -> str:
    if not setting.on:
        return "off"
    return "on" if setting.percent == 100 else f"on for {setting.percent:g} % of the users"
