"""`scripts/release flags` and `order-cap`: show or set a feature flag, or the cap of paid jobs.

A change needs a reason for the audit log. The cap limits the new orders (paid jobs) per hour.
"""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol, cast

from google.api_core.exceptions import GoogleAPICallError
from google.auth.exceptions import GoogleAuthError

from infra.local.stack import ROOT
from infra.ops.argument_types import reason
from infra.ops.connection import cloud, local, operator_name
from infra.ops.exits import FAILED, OK, fail
from infra.ops.invocation import default_region
from infra.ops.local_stack import NoStack, choose
from lumimd.coordination.admission.hourly_cap import Room
from lumimd.coordination.shared_document import Shared
from lumimd.domain.document import Document
from lumimd.domain.errors import Transient
from lumimd.operations.audit import audited
from lumimd.operations.operator import Operator, OperatorServices
from lumimd.policies.flags import KEY, PER_USER, Flags, OrderCap, Setting, Switch
from lumimd.policies.keeping import FLAGS_KEPT_FOR
from lumimd.stores.shared_documents import SharedDocuments
from lumimd.telemetry import logs

UNCAPPED: Final = OrderCap()


class FlagServices(OperatorServices, Protocol):
    """An operator's services, with access to the document of the feature flags."""

    @property
    def flag_documents(self) -> SharedDocuments[Flags]: ...


def add_commands(commands: Any) -> None:
    """Add `flags` and `order-cap` to the commands of `scripts/release`."""
    flags = commands.add_parser("flags", help="show the feature flags, or set one")
    flags.add_argument("switch", nargs="?", choices=[each.value for each in Switch])
    flags.add_argument("to", nargs="?", type=setting, metavar="on|off|PERCENT")
    _add_options(flags)
    flags.set_defaults(command=_run_flags)

    order_cap = commands.add_parser("order-cap", help="the cap of new paid orders an hour")
    order_cap.add_argument("to", nargs="?", type=cap, metavar="off|NUMBER")
    _add_options(order_cap)
    order_cap.set_defaults(command=_run_order_cap)


def _add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--reason", type=reason, help="for the audit log; needed for a change")
    target = command.add_mutually_exclusive_group()
    target.add_argument("--local", action="store_true", help="the stack of scripts/dev")
    target.add_argument("--project", metavar="P", help="default: GOOGLE_CLOUD_PROJECT")
    command.add_argument("--run", metavar="NAME", help="which local stack, if several run")
    command.add_argument("--region", default=default_region(), help=argparse.SUPPRESS)


def setting(text: str) -> Setting:
    """Parse `on`, `off`, or the percentage of the users in a rollout."""
    if text in ("on", "off"):
        return Setting(on=text == "on")
    percent = float(text)
    if not 0 <= percent <= 100:
        raise argparse.ArgumentTypeError("on, off, or a percentage of the users")
    return Setting(percent=percent)


def cap(text: str) -> OrderCap:
    """Parse `off`, or the largest number of orders (paid jobs) in any hour."""
    if text == "off":
        return UNCAPPED
    if not text.isascii() or not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("off, or a number of orders, at least 1")
    return OrderCap(per_hour=int(text))


async def read_flags(operator: Operator) -> Flags:
    """Read the stored flags, or the default flags if no flags are stored.

    Raises:
        Transient: the store is not available.
    """
    found = await cast(FlagServices, operator.services).flag_documents.get(KEY)
    return found[0] if found else Flags()


async def set_switch(operator: Operator, switch: Switch, to: Setting, *, reason: str) -> Flags:
    """Set a switch and return all flags. Every instance uses the new value within KEPT_FOR.

    Raises:
        Transient: the store is not available.
    """
    return await _set(operator, "turn_switch", switch.value, to, reason)


async def set_cap(operator: Operator, to: OrderCap, *, reason: str) -> Flags:
    """Set the cap of orders (paid jobs) and return all flags.

    Every instance uses the new cap within KEPT_FOR.

    Raises:
        Transient: the store is not available.
    """
    return await _set(operator, "set_order_cap", "order_cap", to, reason)


async def _set(operator: Operator, action: str, field: str, to: Document, reason: str) -> Flags:
    """Set a field of the flags, and log its values before and after in the audit log."""
    before: Document = getattr(await read_flags(operator), field)

    def change(stored: Flags | None) -> tuple[Flags, Flags]:
        flags = (stored or Flags()).model_copy(update={field: to})
        return flags, flags

    noted = before.to_stored()
    documents = cast(FlagServices, operator.services).flag_documents
    async with audited(operator, action, field, reason=reason, before=noted) as note:
        flags = await Shared(documents).change(KEY, change)
        note.after = to.to_stored()
    return flags


def _run_flags(args: argparse.Namespace) -> int:
    if args.switch is not None and args.to is None:
        return fail("How is it to stand? on, off, or a percentage of the users.")
    has_change = args.to is not None and args.reason is not None
    if has_change and args.to.percent != 100 and args.switch not in PER_USER:
        return fail(f"{args.switch} is on or off for everybody.")
    return _run(
        args,
        lambda operator: set_switch(operator, Switch(args.switch), args.to, reason=args.reason),
        _show,
    )


def _run_order_cap(args: argparse.Namespace) -> int:
    return _run(
        args,
        lambda operator: set_cap(operator, args.to, reason=args.reason),
        lambda flags: print(_words_of_cap(flags.order_cap)),
    )


def _run(
    args: argparse.Namespace,
    change: Callable[[Operator], Coroutine[Any, Any, Flags]],
    show: Callable[[Flags], None],
) -> int:
    """Change the flags if `args.to` is given, show all flags, and return the exit code."""
    logs.configure(to=sys.stderr, level=logging.CRITICAL)  # commands print their own messages
    problem = _problem(args)
    if problem is not None:
        return fail(problem)
    try:
        if args.local:
            connection = local(choose(ROOT / ".run", args.run))
        else:
            connection = cloud(args.project or os.environ["GOOGLE_CLOUD_PROJECT"], args.region)
        operator = Operator(operator_name(in_cloud=not args.local), connection.services)
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


def _problem(args: argparse.Namespace) -> str | None:
    """Return the problem with the options, or None. The option `--run` implies `--local`."""
    if args.to is not None and args.reason is None:
        return "Why? The audit log wants to know: --reason '...'"
    if args.run and args.project:
        return "--run names a local stack, and --project a project: give one of them."
    args.local = args.local or bool(args.run)
    if not args.local and not (args.project or os.environ.get("GOOGLE_CLOUD_PROJECT")):
        return "Which stack? Say --local, or --project P for the cloud."
    return None


def _show(flags: Flags) -> None:
    for switch in Switch:
        print(f"{switch:<26}{_words(flags.of(switch))}")


def _words(setting: Setting) -> str:
    if not setting.on:
        return "off"
    return "on" if setting.percent == 100 else f"on for {setting.percent:g} % of the users"


def _words_of_cap(cap: OrderCap) -> str:
    if cap.per_hour is None:
        return "New orders have no cap."
    of_a_user = Room.under(cap.per_hour).of_a_user
    return f"New orders: at most {cap.per_hour} in any hour, and {of_a_user} of one user."
