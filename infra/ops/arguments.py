"""Every command and option of `scripts/ops`.

A command is named as `module:function` and imported when it runs, so help and usage errors load
neither an SDK nor the pipeline. The choices are written out for the same reason; a test compares
them with the code.
"""

import argparse
from typing import Any, Final

from infra.ops.argument_types import count, pace, price, reason, span, visit
from infra.ops.invocation import DEFAULT_REGION, REGION, default_region
from lumimd.domain.codes import ErrorCode

STAGES: Final = ("submission", "transcription", "summary")
STEPS: Final = ("submission", "summary")
BREAKERS: Final = ("transcription", "orders", "model")
PER_MINUTE: Final = 60


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    common = _common(argparse.SUPPRESS)
    made = argparse.ArgumentParser(
        prog="scripts/ops",
        description="Inspect visits, and repair those that failed or are stuck.",
        epilog="Without --local, --run and --project: the project of GOOGLE_CLOUD_PROJECT.",
        parents=[_common(None)],
    )
    commands = made.add_subparsers(metavar="COMMAND", required=True)
    for add in (_visits, _changes, _letters, _queues, _schedules, _breakers, _reports):
        add(commands, common)
    return made


def _common(default: Any) -> argparse.ArgumentParser:
    """The options that may stand before the command or after it.

    `default` is SUPPRESS for the options after the command: they override only when they are given.
    """

    def or_suppress(value: object) -> Any:
        return default if default is argparse.SUPPRESS else value

    common = argparse.ArgumentParser(add_help=False)
    where = common.add_mutually_exclusive_group()
    where.add_argument(
        "--local", action="store_true", default=or_suppress(False), help="the stack of scripts/dev"
    )
    where.add_argument(
        "--project", metavar="P", default=or_suppress(None), help="a project of the cloud"
    )
    common.add_argument(
        "--run",
        metavar="NAME",
        default=or_suppress(None),
        help="the local stack of this name; needed if several run",
    )
    common.add_argument(
        "--region",
        default=or_suppress(default_region()),
        help=f"of the cloud; default: {REGION}, or {DEFAULT_REGION}",
    )
    common.add_argument(
        "--json",
        action="store_true",
        default=or_suppress(False),
        help="one JSON document on standard output",
    )
    common.add_argument(
        "--yes", action="store_true", default=or_suppress(False), help="do not ask before a change"
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
    which.add_argument("--high-retry", type=count, metavar="N", help="retried N times or more")
    listed.add_argument("--user", metavar="UID", help="of one user")
    listed.add_argument("--limit", type=count, default=50, metavar="N", help="default: 50")
    listed.set_defaults(command="visits:list_visits")

    show = commands.add_parser("show", parents=[common], help="the timeline of a visit")
    show.add_argument("visit", type=visit, metavar="VISIT")
    show.set_defaults(command="visits:show")


def _changes(commands: Any, common: argparse.ArgumentParser) -> None:
    retry = commands.add_parser("retry", parents=[common], help="another attempt at a failed visit")
    retry.add_argument("visit", type=visit, metavar="VISIT")
    retry.set_defaults(command="visits:retry")

    rerun = commands.add_parser("rerun", parents=[common], help="work on a visit again from a step")
    rerun.add_argument("visit", type=visit, metavar="VISIT")
    rerun.add_argument("--from", dest="begin", choices=STEPS, required=True)
    rerun.set_defaults(command="visits:run_again")

    for name, help_ in (
        ("hold", "protect a visit and its recordings from every change and deletion"),
        ("release", "let a held visit be changed and deleted again"),
    ):
        legal = commands.add_parser(name, parents=[common], help=help_)
        legal.add_argument("visit", type=visit, metavar="VISIT")
        legal.add_argument("--reason", type=reason, required=True, metavar="TEXT")
        legal.set_defaults(command="visits:hold", held=name == "hold")

    urgent = commands.add_parser(
        "urgent", parents=[common], help="let a visit overtake others in the fair queue"
    )
    urgent.add_argument("visit", type=visit, metavar="VISIT")
    urgent.add_argument("--off", action="store_true", help="make it ordinary again")
    urgent.set_defaults(command="visits:prioritize")

    delete = commands.add_parser("delete", parents=[common], help="delete a visit everywhere")
    delete.add_argument("visit", type=visit, metavar="VISIT")
    delete.set_defaults(command="visits:delete")

    after_restore = commands.add_parser(
        "after-restore",
        parents=[common],
        help="repeat the deletions and legal holds that a restored backup has undone",
    )
    after_restore.add_argument(
        "--since", type=span, required=True, metavar="14d", help="the age of the backup"
    )
    after_restore.set_defaults(command="visits:repeat")


def _letters(commands: Any, common: argparse.ArgumentParser) -> None:
    listed = commands.add_parser(
        "dead-letters", parents=[common], help="visits that failed for good, newest first"
    )
    _add_filters(listed)
    listed.add_argument("--discarded", action="store_true", help="those that were discarded")
    listed.add_argument("--limit", type=count, default=50, metavar="N", help="default: 50")
    listed.set_defaults(command="letters:list_letters")

    bulk_retry = commands.add_parser(
        "bulk-retry", parents=[common], help="retry dead letters, as dead-letters lists them"
    )
    _add_filters(bulk_retry)
    bulk_retry.add_argument("--limit", type=count, default=1000, metavar="N", help="default: 1000")
    bulk_retry.add_argument(
        "--per-minute",
        type=pace,
        default=float(PER_MINUTE),
        metavar="N",
        help=f"default: {PER_MINUTE}",
    )
    bulk_retry.set_defaults(command="letters:retry_many")

    discard = commands.add_parser(
        "discard", parents=[common], help="close a dead letter that needs no more attention"
    )
    discard.add_argument("visit", type=visit, metavar="VISIT")
    discard.add_argument("--reason", type=reason, required=True, metavar="TEXT")
    discard.set_defaults(command="letters:discard")


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
    parser.add_argument("--since", type=span, metavar="24h", help="failed since then")


def _queues(commands: Any, common: argparse.ArgumentParser) -> None:
    queues = commands.add_parser(
        "queues", parents=[common], help="the task queues: show, pause, resume"
    )
    queues.set_defaults(command="services:show_queues")
    actions = queues.add_subparsers(metavar="ACTION")
    for action, help_ in (("pause", "dispatch no more tasks"), ("resume", "dispatch them again")):
        one = actions.add_parser(action, parents=[common], help=help_)
        one.add_argument("name", metavar="NAME")
        one.set_defaults(command="services:change_queue", action=action)


def _schedules(commands: Any, common: argparse.ArgumentParser) -> None:
    schedule = commands.add_parser(
        "schedule", parents=[common], help="the scheduled calls: show, run, pause, resume"
    )
    actions = schedule.add_subparsers(metavar="ACTION", required=True)
    listed = actions.add_parser("list", parents=[common], help="the last and the next runs")
    listed.set_defaults(command="services:show_schedules")
    for action, help_ in (
        ("run", "make the call now"),
        ("pause", "make no more calls"),
        ("resume", "make them again"),
    ):
        one = actions.add_parser(action, parents=[common], help=help_)
        one.add_argument("name", metavar="NAME")
        one.set_defaults(command="services:change_schedule", action=action)


def _breakers(commands: Any, common: argparse.ArgumentParser) -> None:
    breakers = commands.add_parser(
        "breakers", parents=[common], help="is a provider being skipped because it fails"
    )
    breakers.set_defaults(command="services:show_breakers")
    actions = breakers.add_subparsers(metavar="ACTION")
    one = actions.add_parser("reset", parents=[common], help="let calls through again")
    one.add_argument("name", metavar="NAME", choices=BREAKERS)
    one.set_defaults(command="services:reset_breaker")


def _reports(commands: Any, common: argparse.ArgumentParser) -> None:
    stats = commands.add_parser("stats", parents=[common], help="success, times, retries, errors")
    stats.add_argument("--since", type=span, default=span("24h"), metavar="24h")
    stats.set_defaults(command="reports:show_statistics")

    costs = commands.add_parser("costs", parents=[common], help="usage and costs of the visits")
    costs.add_argument("--since", type=span, default=span("30d"), metavar="30d")
    costs.add_argument("--audio-hour", type=price, metavar="PRICE", help="of an hour of recording")
    costs.add_argument("--summary", type=price, metavar="PRICE", help="of one summary")
    costs.set_defaults(command="reports:show_costs")

    doctor = commands.add_parser("doctor", parents=[common], help="check everything, name problems")
    doctor.set_defaults(command="reports:run_doctor")

    log = commands.add_parser("audit", parents=[common], help="the changes and readings on record")
    log.add_argument("--by", metavar="ACCOUNT", help="of one operator")
    log.add_argument("--of", metavar="VISIT", help="those of one visit, queue or scheduled call")
    log.add_argument("--limit", type=count, default=20, metavar="N", help="default: 20")
    log.set_defaults(command="reports:show_log")
