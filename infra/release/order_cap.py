"""`scripts/release order-cap`: show the cap of new paid orders per hour, set it, or remove it."""

import argparse
from typing import Any, Final, cast

from infra.ops.argument_types import reason
from infra.release.feature_flags import (
    FlagServices,
    add_target,
    read_flags,
    run_on_flags,
    target_problem,
)
from lumimd.coordination.admission.hourly_cap import Room
from lumimd.coordination.shared_document import Shared
from lumimd.operations.audit import audited
from lumimd.operations.operator import Operator
from lumimd.policies.flags import KEY, Flags, OrderCap

UNCAPPED: Final = OrderCap()


def add_command(commands: Any) -> None:
    """Add `order-cap` to the commands of `scripts/release`."""
    parser = commands.add_parser("order-cap", help="the cap of new paid orders an hour")
    parser.add_argument("to", nargs="?", type=cap, metavar="off|NUMBER")
    parser.add_argument("--reason", type=reason, help="for the audit log; needed for a change")
    add_target(parser)
    parser.set_defaults(command=_command)


def cap(text: str) -> OrderCap:
    """`off`, or the largest number of orders in any hour."""
    if text == "off":
        return UNCAPPED
    if not text.isascii() or not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("off, or a number of orders, at least 1")
    return OrderCap(per_hour=int(text))


async def set_cap(operator: Operator, to: OrderCap, *, reason: str) -> Flags:
    """Set the cap of new orders for every instance, within KEPT_FOR; all flags after the change.

    Raises:
        Transient: the store is not available.
    """
    before = (await read_flags(operator)).order_cap

    def change(stored: Flags | None) -> tuple[Flags, Flags]:
        flags = (stored or Flags()).model_copy(update={"order_cap": to})
        return flags, flags

    noted = before.to_stored()
    documents = cast(FlagServices, operator.services).flag_documents
    async with audited(operator, "set_order_cap", "order_cap", reason=reason, before=noted) as note:
        flags = await Shared(documents).change(KEY, change)
        note.after = to.to_stored()
    return flags


def _command(args: argparse.Namespace) -> int:
    return run_on_flags(
        args,
        _problem(args),
        lambda operator: set_cap(operator, args.to, reason=args.reason),
        lambda flags: print(_words(flags.order_cap)),
    )


def _problem(args: argparse.Namespace) -> str | None:
    if args.to is not None and args.reason is None:
        return "Why? The audit log wants to know: --reason '...'"
    return target_problem(args)


def _words(cap: OrderCap) -> str:
    if cap.per_hour is None:
        return "New orders have no cap."
    of_a_user = Room.under(cap.per_hour).of_a_user
    return f"New orders: at most {cap.per_hour} in any hour, and {of_a_user} of one user."
