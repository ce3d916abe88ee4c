"""Every command and option of `scripts/ops`.

A command is named as `module:function` and imported when it runs: help and a mistyped option load
neither an SDK nor the pipeline. The choices are written out for the same reason; a test compares
them with the code.
"""

import argparse
from typing import Any, Final

from infra.ops import asked
from infra.ops.invocation import DEFAULT_REGION, REGION, default_region
from lumimd.domain.errors import ErrorCode

STAGES: Final = ("submission", "transcription", "summary")
STEPS: Final = ("submission", "summary")
BREAKERS: Final = ("transcription", "orders", "model")
PER_MINUTE: Final = 60


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    common = _common(argparse.SUPPRESS)
    made = argparse.ArgumentParser(
        prog="scripts/ops",
        description="See how the visits do, and help those that do not.",
        epilog="Without --local, --run and --project: the project of GOOGLE_CLOUD_PROJECT.",
        parents=[_common(None)],
    )
    commands = made.add_subparsers(metavar="COMMAND", required=True)
    for add in (_visits, _changes, _letters, _queues, _schedules, _breakers, _watching):
        add(commands, common)
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
        "--run",
        metavar="NAME",
        default=default(None),
        help="the local stack of this name; needed if several run",
    )
    common.add_argument(
        "--region",
        default=default(default_region()),
        help=f"of the cloud; default: {REGION}, or {DEFAULT_REGION}",
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


def _visits(commands: Any, common: argparse.ArgumentParser) -> None:
    listed = commands.add_parser("visits", parents=[common], help="list visits, newest first")
    which = listed.add_mutually_exclusive_group()
    which.add_argument(
        "--stuck",
        action="store_true",
        help="overdue by more than 5 minutes, or unchanged for 15",
    )
    which.add_argument("--failed", action="store_true", help="failed, or without a summary")
    which.add_argument(
        "--high-retry", type=asked.count, metavar="N", help="retried N times or more"
    )
    listed.add_argument("--user", metavar="UID", help="of one user")
    listed.add_argument("--limit", type=asked.count, default=50, metavar="N", help="default: 50")
    listed.set_defaults(command="visits:list_visits")

    shown = commands.add_parser("show", parents=[common], help="how a visit went, step by step")
    shown.add_argument("visit", type=asked.visit, metavar="VISIT")
    shown.set_defaults(command="visits:show")


def _changes(commands: Any, common: argparse.ArgumentParser) -> None:
    again = commands.add_parser("retry", parents=[common], help="another attempt at a failed visit")
    again.add_argument("visit", type=asked.visit, metavar="VISIT")
    again.set_defaults(command="visits:retry")

    anew = commands.add_parser("rerun", parents=[common], help="work on a visit again from a step")
    anew.add_argument("visit", type=asked.visit, metavar="VISIT")
    anew.add_argument("--from", dest="begin", choices=STEPS, required=True)
    anew.set_defaults(command="visits:run_again")

    for name, help_ in (
        ("hold", "protect a visit and its recordings from every change and deletion"),
        ("release", "let a held visit be changed and deleted again"),
    ):
        legal = commands.add_parser(name, parents=[common], help=help_)
        legal.add_argument("visit", type=asked.visit, metavar="VISIT")
        legal.add_argument("--reason", type=asked.reason, required=True, metavar="TEXT")
        legal.set_defaults(command="visits:hold", held=name == "hold")

    first = commands.add_parser(
        "urgent", parents=[common], help="let a visit overtake others in the line"
    )
    first.add_argument("visit", type=asked.visit, metavar="VISIT")
    first.add_argument("--off", action="store_true", help="end that")
    first.set_defaults(command="visits:prioritize")

    gone = commands.add_parser("delete", parents=[common], help="delete a visit everywhere")
    gone.add_argument("visit", type=asked.visit, metavar="VISIT")
    gone.set_defaults(command="visits:delete")

    restored = commands.add_parser(
        "after-restore",
        parents=[common],
        help="delete and hold again what a backup has brought back",
    )
    restored.add_argument(
        "--since", type=asked.span, required=True, metavar="14d", help="the age of the backup"
    )
    restored.set_defaults(command="visits:repeat")


def _letters(commands: Any, common: argparse.ArgumentParser) -> None:
    listed = commands.add_parser(
        "dead-letters", parents=[common], help="visits that failed for good, newest first"
    )
    _add_filters(listed)
    listed.add_argument("--discarded", action="store_true", help="those that were discarded")
    listed.add_argument("--limit", type=asked.count, default=50, metavar="N", help="default: 50")
    listed.set_defaults(command="letters:list_letters")

    many = commands.add_parser(
        "bulk-retry", parents=[common], help="retry dead letters, as dead-letters lists them"
    )
    _add_filters(many)
    many.add_argument("--limit", type=asked.count, default=1000, metavar="N", help="default: 1000")
    many.add_argument(
        "--per-minute",
        type=asked.pace,
        default=float(PER_MINUTE),
        metavar="N",
        help=f"default: {PER_MINUTE}",
    )
    many.set_defaults(command="letters:retry_many")

    away = commands.add_parser(
        "discard", parents=[common], help="decide that a dead letter needs no more attention"
    )
    away.add_argument("visit", type=asked.visit, metavar="VISIT")
    away.add_argument("--reason", type=asked.reason, required=True, metavar="TEXT")
    away.set_defaults(command="letters:discard")


def _add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stage", choices=STAGES, help="the stage that failed")
    parser.add_argument(
        "--code",
        type=ErrorCode,
        choices=list(ErrorCode),
        metavar="C",
        help="the error code, as the list shows it",
    )
    parser.add_argument("--user", metavar="UID", help="of one user")
    parser.add_argument("--since", type=asked.span, metavar="24h", help="failed since then")


def _queues(commands: Any, common: argparse.ArgumentParser) -> None:
    queue = commands.add_parser(
        "queues", parents=[common], help="the task queues: look, pause, resume"
    )
    queue.set_defaults(command="services:look_at_queues")
    actions = queue.add_subparsers(metavar="ACTION")
    for action, help_ in (("pause", "dispatch no more tasks"), ("resume", "dispatch them again")):
        one = actions.add_parser(action, parents=[common], help=help_)
        one.add_argument("name", metavar="NAME")
        one.set_defaults(command="services:change_queue", action=action)


def _schedules(commands: Any, common: argparse.ArgumentParser) -> None:
    schedule = commands.add_parser("schedule", parents=[common], help="the scheduled calls")
    actions = schedule.add_subparsers(metavar="ACTION", required=True)
    listed = actions.add_parser("list", parents=[common], help="the last and the next runs")
    listed.set_defaults(command="services:look_at_schedules")
    for action, help_ in (
        ("run", "make the call now"),
        ("pause", "make no more calls"),
        ("resume", "make them again"),
    ):
        one = actions.add_parser(action, parents=[common], help=help_)
        one.add_argument("name", metavar="NAME")
        one.set_defaults(command="services:change_schedule", action=action)


def _breakers(commands: Any, common: argparse.ArgumentParser) -> None:
    breaker = commands.add_parser(
        "breakers", parents=[common], help="is a provider being skipped because it fails"
    )
    breaker.set_defaults(command="services:look_at_breakers")
    actions = breaker.add_subparsers(metavar="ACTION")
    one = actions.add_parser("reset", parents=[common], help="let calls through again")
    one.add_argument("name", metavar="NAME", choices=BREAKERS)
    one.set_defaults(command="services:reset_breaker")


def _watching(commands: Any, common: argparse.ArgumentParser) -> None:
    stats = commands.add_parser("stats", parents=[common], help="success, times, retries, errors")
    stats.add_argument("--since", type=asked.span, default=asked.span("24h"), metavar="24h")
    stats.set_defaults(command="watching:show_statistics")

    paid = commands.add_parser("costs", parents=[common], help="what the visits used, and cost")
    paid.add_argument("--since", type=asked.span, default=asked.span("30d"), metavar="30d")
    paid.add_argument(
        "--audio-hour", type=asked.price, metavar="PRICE", help="of an hour of recording"
    )
    paid.add_argument("--summary", type=asked.price, metavar="PRICE", help="of one summary")
    paid.set_defaults(command="watching:show_costs")

    doctor = commands.add_parser("doctor", parents=[common], help="what is wrong, in sentences")
    doctor.set_defaults(command="watching:consult_doctor")

    log = commands.add_parser("audit", parents=[common], help="the changes and readings on record")
    log.add_argument("--by", metavar="ACCOUNT", help="of one operator")
    log.add_argument("--of", metavar="VISIT", help="those of one visit, queue or scheduled call")
    log.add_argument("--limit", type=asked.count, default=20, metavar="N", help="default: 20")
    log.set_defaults(command="watching:show_log")
