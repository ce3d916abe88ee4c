"""`scripts/release`: build, canary stages, gate, comparison, rollback, and feature flags.

Exit codes: 0 done or passed, 1 not passed or partly failed, 2 a usage error, 141 the reader closed
the output. A command that moves traffic finishes all its moves before it exits with 141.
"""

import argparse
import json
import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from google.api_core.exceptions import GoogleAPICallError
from google.auth.exceptions import GoogleAuthError

from infra.ops.argument_types import span
from infra.ops.exits import FAILED, OK, fail, run_to_exit
from infra.ops.invocation import DEFAULT_REGION, REGION, default_region
from infra.release import feature_flags, planning, report, traffic_moves
from infra.release.compare import Recommendation, compare
from infra.release.gate import STAGES, judge
from infra.release.gcloud import GcloudFailed, NoRevision, RevisionGroup, revisions_of
from infra.release.measures import Measures
from infra.release.traffic import Target, services


def parser() -> argparse.ArgumentParser:
    """Build the parser of every command and option."""
    made = argparse.ArgumentParser(
        prog="scripts/release", description="Release in stages, and roll back."
    )
    commands = made.add_subparsers(metavar="COMMAND", required=True)

    build = commands.add_parser("build", help="make the archive that is deployed")
    build.set_defaults(command=lambda args: planning.build())

    plan = commands.add_parser("plan", help="print the planned deployment and its commands")
    plan.set_defaults(command=lambda args: planning.plan(_target(args)))
    _add_target(plan)

    _add_traffic_commands(commands)

    gate = commands.add_parser("gate", help="check whether the release may take the next stage")
    source = gate.add_mutually_exclusive_group(required=True)
    source.add_argument("--metrics", type=Path, metavar="FILE", help="measures as JSON")
    source.add_argument("--cloud", action="store_true", help="read them from Cloud Monitoring")
    gate.add_argument("--since", type=span, default=span("1h"), help="with --cloud; default: 1h")
    gate.add_argument(
        "--of",
        choices=[each.value for each in RevisionGroup],
        default=RevisionGroup.CANARY,
        help="with --cloud: judge the new revisions, or the last good ones; default: canary",
    )
    gate.add_argument(
        "--revision", action="append", default=[], help="with --cloud: judge these revisions"
    )
    gate.add_argument("--save", type=Path, metavar="FILE", help="save the measures, to compare")
    gate.set_defaults(command=_gate)
    _add_target(gate)

    comparison = commands.add_parser("compare", help="compare two releases or two arms")
    comparison.add_argument("a", type=Path, metavar="A", help="measures as JSON: current release")
    comparison.add_argument("b", type=Path, metavar="B", help="measures as JSON: its replacement")
    comparison.add_argument("--json", action="store_true", help="one JSON document")
    comparison.set_defaults(command=_compare)

    feature_flags.add_commands(commands)
    return made


def _add_traffic_commands(commands: Any) -> None:
    pin = commands.add_parser("pin", help="mark the serving revisions as last good")
    pin.set_defaults(
        command=lambda args: traffic_moves.pin(_target(args), args.only or services(), yes=args.yes)
    )
    _add_traffic_options(pin)

    canary = commands.add_parser("canary", help="give the newest revisions part of the traffic")
    canary.add_argument("percent", type=int, choices=STAGES, metavar="PERCENT", help=f"{STAGES}")
    canary.add_argument(
        "--again", action="store_true", help="with --only: also a revision that was rolled back"
    )
    canary.set_defaults(command=_canary)
    _add_traffic_options(canary)

    rollback = commands.add_parser("rollback", help="give the traffic to the last good release")
    rollback.add_argument(
        "--leave",
        type=int,
        choices=STAGES[:-1],
        default=0,
        metavar="PERCENT",
        help=f"gradual rollback: share that the newest keeps, {STAGES[:-1]}",
    )
    rollback.add_argument("--to", metavar="REVISION", help="with one --only: the target revision")
    rollback.set_defaults(command=_rollback)
    _add_traffic_options(rollback)


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    return run_to_exit(lambda: _run(parser().parse_args(arguments)))


def _run(args: argparse.Namespace) -> int:
    try:
        code: int = args.command(args)
    except _UsageError as problem:
        return fail(problem)
    except (GoogleAPICallError, GoogleAuthError) as error:
        return fail(f"Cloud Monitoring does not say: {error}", FAILED)
    except BrokenPipeError:
        raise
    except (NoRevision, GcloudFailed, OSError) as error:
        return fail(error, FAILED)
    return code


class _UsageError(Exception):
    """The command line lacks a value, or a value is wrong."""


def _canary(args: argparse.Namespace) -> int:
    if args.again and not args.only:
        # Another service's newest revision may be a faulty revision of an older release.
        raise _UsageError("Of which services? Say --only SERVICE, each that is to go on.")
    of, target = args.only or services(), _target(args)
    return traffic_moves.canary(target, of, args.percent, again=args.again, yes=args.yes)


def _rollback(args: argparse.Namespace) -> int:
    of = args.only or services()
    if args.to and len(of) != 1:
        raise _UsageError("Of which service is it a revision? Say --only SERVICE.")
    if args.to and not args.to.startswith(f"{of[0]}-"):
        raise _UsageError(f"{args.to} is no revision of {of[0]}: those begin with {of[0]}-")
    target = _target(args)
    return traffic_moves.rollback(target, of, leave=args.leave, to=args.to, yes=args.yes)


def _gate(args: argparse.Namespace) -> int:
    measures = _from_cloud(args) if args.cloud else _read(args.metrics)
    if args.save is not None:
        _save(measures, args.save)
    criteria = judge(measures)
    print(report.of_gate(measures.revisions, criteria))
    return OK if all(each.holds for each in criteria) else FAILED


def _read(path: Path) -> Measures:
    try:
        return Measures.read(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # pydantic and the UTF-8 decoder raise ValueErrors
        raise _UsageError(f"The measures of {path} cannot be read: {error}") from error


def _save(measures: Measures, path: Path) -> None:
    try:
        path.write_text(json.dumps(measures.to_json(), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise _UsageError(f"The measures cannot be kept: {error}") from error


def _from_cloud(args: argparse.Namespace) -> Measures:
    from google.cloud import monitoring_v3

    from infra.release.cloud_measures import CloudMeasures

    target, now = _target(args), datetime.now(UTC)
    revisions = args.revision or revisions_of(target, services(), RevisionGroup(args.of))
    client = monitoring_v3.MetricServiceClient()
    return CloudMeasures(client, target.project, revisions).between(now - args.since, now)


def _compare(args: argparse.Namespace) -> int:
    a, b = (_read(path) for path in (args.a, args.b))
    comparison = compare(a, b)
    as_json = json.dumps(asdict(comparison), indent=1)
    print(as_json if args.json else report.of_comparison(comparison))
    return OK if comparison.recommendation is Recommendation.GO_ON else FAILED


def _target(args: argparse.Namespace) -> Target:
    project = args.project or os.environ.get("GOOGLE_CLOUD_PROJECT")
    if not project:
        raise _UsageError("Which project? Say --project P, or set GOOGLE_CLOUD_PROJECT.")
    return Target(project, args.region)


def _add_target(command: argparse.ArgumentParser) -> None:
    command.add_argument("--project", metavar="P", help="default: GOOGLE_CLOUD_PROJECT")
    default = f"default: {REGION}, or {DEFAULT_REGION}"
    command.add_argument("--region", default=default_region(), help=default)


def _add_traffic_options(command: argparse.ArgumentParser) -> None:
    _add_target(command)
    command.add_argument("--only", action="append", choices=services(), help="this service alone")
    command.add_argument("--yes", action="store_true", help="run the printed commands")
