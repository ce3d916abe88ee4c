"""`scripts/release order-cap`: at most so many new paid orders in any hour, or as many as come."""

import argparse
import asyncio
import logging
import sys
from typing import Any, Final, cast

from google.api_core.exceptions import GoogleAPICallError
from google.auth.exceptions import GoogleAuthError

from infra.ops.asked import reason
from infra.ops.local_stack import NoStack
from infra.ops.who import operator_name
from infra.release.switching import (
    FAILED,
    OK,
    USAGE,
    FlagServices,
    add_place,
    connected,
    problem_of_place,
)
from lumimd.coordination.admission.hourly_cap import Room
from lumimd.coordination.flags import KEPT_FOR
from lumimd.coordination.shared_document import Shared
from lumimd.domain.errors import Transient
from lumimd.operations.audit import audited
from lumimd.operations.operator import Operator
from lumimd.policies.flags import KEY, Flags, OrderCap
from lumimd.telemetry import logs

UNCAPPED: Final = OrderCap()


def add_command(commands: Any) -> None:
    """Add `order-cap` to the commands of `scripts/release`."""
    parser = commands.add_parser("order-cap", help="the cap of new paid orders an hour")
    parser.add_argument("to", nargs="?", type=cap, metavar="off|NUMBER")
    parser.add_argument("--reason", type=reason, help="for the audit log; needed for a change")
    add_place(parser)
    parser.set_defaults(command=_command)


def cap(text: str) -> OrderCap:
    """`off`, or at most so many orders in any hour."""
    if text == "off":
        return UNCAPPED
    if not text.isascii() or not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("off, or a number of orders, at least 1")
    return OrderCap(per_hour=int(text))


async def set_cap(operator: Operator, to: OrderCap, *, reason: str) -> Flags:
    """Have new orders capped so, by every instance within some seconds; how all switches stand.

    Raises:
        Transient: the store is not available.
    """
    documents = cast(FlagServices, operator.services).flag_documents
    found = await documents.get(KEY)
    before = (found[0] if found else Flags()).order_cap

    def change(stored: Flags | None) -> tuple[Flags, Flags]:
        flags = (stored or Flags()).model_copy(update={"order_cap": to})
        return flags, flags

    noted = before.to_stored()
    async with audited(operator, "set_order_cap", "order_cap", reason=reason, before=noted) as note:
        flags = await Shared(documents).change(KEY, change)
        note.after = to.to_stored()
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
        flags = asyncio.run(_capped(operator, wanted))
    except NoStack as error:
        print(error, file=sys.stderr)
        return USAGE
    except (Transient, GoogleAPICallError, GoogleAuthError) as error:
        print(f"The store does not answer ({type(error).__name__}).", file=sys.stderr)
        return FAILED
    print(_words(flags.order_cap))
    if wanted.to is not None:
        print(f"Every instance knows within {KEPT_FOR.total_seconds():.0f} s.", file=sys.stderr)
    return OK


async def _capped(operator: Operator, wanted: argparse.Namespace) -> Flags:
    if wanted.to is not None:
        return await set_cap(operator, wanted.to, reason=wanted.reason)
    found = await cast(FlagServices, operator.services).flag_documents.get(KEY)
    return found[0] if found else Flags()


def _problem(wanted: argparse.Namespace) -> str | None:
    if wanted.to is not None and wanted.reason is None:
        return "Why? The audit log wants to know: --reason '...'"
    return problem_of_place(wanted)


def _words(stands: OrderCap) -> str:
    if stands.per_hour is None:
        return "New orders have no cap."
    of_a_user = Room.under(stands.per_hour).of_a_user
    return f"New orders: at most {stands.per_hour} in any hour, and {of_a_user} of one user."
