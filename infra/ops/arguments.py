"""Every command and option of `scripts/ops`.

A command is named as `module:function` and imported when it runs, so help and usage errors load
neither an SDK nor the pipeline. The choices of options are repeated here for the same reason; a
test compares the choices with the code.
"""

import argparse
from functools import partial
from typing import Any, Final

from infra.ops.argument_types import count, pace, price, reason, span, visit
from infra.ops.invocation import DEFAULT_REGION, REGION, default_region
from lumimd.domain.codes import ErrorCode

STAGES: Final = ("submission", "transcription", "summary")
STEPS: Final = ("submission", "summary")
BREAKERS: Final = ("transcription", "orders", "model")
PER_MINUTE: Final = 60

Argument = tuple[str, dict[str, Any]]
"""The name of an argument, and the keyword options for argparse's `add_argument`."""


def parser() -> argparse.ArgumentParser:
    """Build the parser of the whole command line."""
    made = argparse.ArgumentParser(
        prog="scripts/ops",
        description="Inspect visits, and repair those that failed or are stuck.",
        epilog="Without --local, --run and --project: the project of GOOGLE_CLOUD_PROJECT.",
        parents=[_common()],
    )
    made.set_defaults(region=default_region())
    commands = made.add_subparsers(metavar="COMMAND", required=True)
    for add_commands in (_visits, _changes, _letters, _services, _reports):
        add_commands(partial(_add, commands))
    return made


def _common(argument_default: str | None = None) -> argparse.ArgumentParser:
    """Build a parser of the options that may stand before the command or after it.

    After the command their default is SUPPRESS, so that an option that is absent there does not
    override the same option before the command.
    """
    common = argparse.ArgumentParser(add_help=False, argument_default=argument_default)
    where = common.add_mutually_exclusive_group()
    where.add_argument("--local", action="store_true", help="the stack of scripts/dev")
    where.add_argument("--project", metavar="P", help="a project of the cloud")
    common.add_argument(
        "--run", metavar="NAME", help="the local stack of this name; needed if several run"
    )
    common.add_argument("--region", help=f"of the cloud; default: {REGION}, or {DEFAULT_REGION}")
    common.add_argument("--json", action="store_true", help="one JSON document on standard output")
    common.add_argument("--yes", action="store_true", help="do not ask before a change")
    return common


def _argument(name: str, **options: Any) -> Argument:
    return name, options


def _limit(default: int) -> Argument:
    return _argument(
        "--limit", type=count, default=default, metavar="N", help=f"default: {default}"
    )


_VISIT: Final = _argument("visit", type=visit, metavar="VISIT")
_NAME: Final = _argument("name", metavar="NAME")
_REASON: Final = _argument("--reason", type=reason, required=True, metavar="TEXT")
_USER: Final = _argument("--user", metavar="UID", help="of one user")
_LETTERS: Final = (
    _argument("--stage", choices=STAGES, help="the stage that failed"),
    _argument(
        "--code",
        type=ErrorCode,
        choices=list(ErrorCode),
        metavar="C",
        help="the error code, as the list shows it",
    ),
    _USER,
    _argument("--since", type=span, metavar="24h", help="failed since then"),
)
"""The options that filter dead letters."""


def _add(
    commands: Any, name: str, command: str | None, about: str, *arguments: Argument, **defaults: Any
) -> Any:
    """Add a command, or a group of commands if `command` is None, and return its parser."""
    added = commands.add_parser(name, parents=[_common(argparse.SUPPRESS)], help=about)
    for argument, options in arguments:
        added.add_argument(argument, **options)
    if command is not None:
        added.set_defaults(command=command, **defaults)
    return added


def _visits(add: Any) -> None:
    listed = add("visits", "visits:list_visits", "list visits, newest first")
    which = listed.add_mutually_exclusive_group()
    which.add_argument(
        "--stuck", action="store_true", help="overdue by more than 5 minutes, or unchanged for 15"
    )
    which.add_argument("--failed", action="store_true", help="failed, or without a summary")
    which.add_argument("--high-retry", type=count, metavar="N", help="retried N times or more")
    for name, options in (_USER, _limit(50)):
        listed.add_argument(name, **options)
    add("show", "visits:show", "the timeline of a visit", _VISIT)


def _changes(add: Any) -> None:
    add("retry", "visits:retry", "another attempt at a failed visit", _VISIT)
    begin = _argument("--from", dest="begin", choices=STEPS, required=True)
    add("rerun", "visits:run_again", "work on a visit again from a step", _VISIT, begin)
    protect = "protect a visit and its recordings from every change and deletion"
    add("hold", "visits:hold", protect, _VISIT, _REASON, held=True)
    free = "let a held visit be changed and deleted again"
    add("release", "visits:hold", free, _VISIT, _REASON, held=False)
    off = _argument("--off", action="store_true", help="make it ordinary again")
    overtake = "let a visit overtake others in the fair queue"
    add("urgent", "visits:prioritize", overtake, _VISIT, off)
    add("delete", "visits:delete", "delete a visit everywhere", _VISIT)
    add(
        "after-restore",
        "visits:repeat",
        "repeat the deletions and legal holds that a restored backup has undone",
        _argument("--since", type=span, required=True, metavar="14d", help="the age of the backup"),
    )


def _letters(add: Any) -> None:
    add(
        "dead-letters",
        "letters:list_letters",
        "visits that failed for good, newest first",
        *_LETTERS,
        _argument("--discarded", action="store_true", help="those that were discarded"),
        _limit(50),
    )
    add(
        "bulk-retry",
        "letters:retry_many",
        "retry dead letters, as dead-letters lists them",
        *_LETTERS,
        _limit(1000),
        _argument(
            "--per-minute",
            type=pace,
            default=float(PER_MINUTE),
            metavar="N",
            help=f"default: {PER_MINUTE}",
        ),
    )
    close = "close a dead letter that needs no more attention"
    add("discard", "letters:discard", close, _VISIT, _REASON)


def _services(add: Any) -> None:
    queues = add("queues", "services:show_queues", "the task queues: show, pause, resume")
    add_to = partial(_add, queues.add_subparsers(metavar="ACTION"))
    for action, help_ in (("pause", "dispatch no more tasks"), ("resume", "dispatch them again")):
        add_to(action, "services:change_queue", help_, _NAME, action=action)

    schedule = add("schedule", None, "the scheduled calls: show, run, pause, resume")
    add_to = partial(_add, schedule.add_subparsers(metavar="ACTION", required=True))
    add_to("list", "services:show_schedules", "the last and the next runs")
    for action, help_ in (
        ("run", "make the call now"),
        ("pause", "make no more calls"),
        ("resume", "make them again"),
    ):
        add_to(action, "services:change_schedule", help_, _NAME, action=action)

    skipped = "is a provider being skipped because it fails"
    breakers = add("breakers", "services:show_breakers", skipped)
    add_to = partial(_add, breakers.add_subparsers(metavar="ACTION"))
    name = _argument("name", metavar="NAME", choices=BREAKERS)
    add_to("reset", "services:reset_breaker", "let calls through again", name)


def _reports(add: Any) -> None:
    since = _argument("--since", type=span, default=span("24h"), metavar="24h")
    add("stats", "reports:show_statistics", "success, times, retries, errors", since)
    add(
        "costs",
        "reports:show_costs",
        "usage and costs of the visits",
        _argument("--since", type=span, default=span("30d"), metavar="30d"),
        _argument("--audio-hour", type=price, metavar="PRICE", help="of an hour of recording"),
        _argument("--summary", type=price, metavar="PRICE", help="of one summary"),
    )
    add("doctor", "reports:run_doctor", "check everything, name problems")
    add(
        "audit",
        "reports:show_log",
        "the changes and readings on record",
        _argument("--by", metavar="ACCOUNT", help="of one operator"),
        _argument("--of", metavar="VISIT", help="those of one visit, queue or scheduled call"),
        _limit(20),
    )
