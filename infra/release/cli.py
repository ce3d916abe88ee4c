"""`scripts/release`: build, move traffic in stages, judge, compare, go back; and the switches.

Exit codes: 0 done or passed, 1 not passed or some of it failed, 2 it was not asked rightly,
141 the reader of the output closed it; what moves traffic has moved all of it then.
"""

import argparse
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from google.api_core.exceptions import GoogleAPICallError
from google.auth.exceptions import GoogleAuthError

from infra.ops.asked import span
from infra.ops.invocation import DEFAULT_REGION, REGION, default_region
from infra.ops.pipes import CLOSED, write_no_more
from infra.release import moving, order_cap, planning, report, switching
from infra.release.compare import Recommendation, compare
from infra.release.gate import STAGES, judge
from infra.release.gcloud import GcloudFailed
from infra.release.judged import Judged, NotJudged, judged
from infra.release.measures import Measures
from infra.release.traffic import Place, services

OK: Final = 0
NOT_PASSED: Final = 1
USAGE: Final = 2


def parser() -> argparse.ArgumentParser:
    """Every command and option there is."""
    made = argparse.ArgumentParser(
        prog="scripts/release", description="Bring a release out in stages, and back."
    )
    commands = made.add_subparsers(metavar="COMMAND", required=True)

    build = commands.add_parser("build", help="make the archive that is deployed")
    build.set_defaults(command=lambda wanted: planning.build())

    plan = commands.add_parser("plan", help="say what would be deployed, and how")
    plan.set_defaults(command=lambda wanted: planning.plan(_place(wanted)))
    _where(plan)

    _add_moves(commands)

    gate = commands.add_parser("gate", help="whether the release may go on to the next stage")
    source = gate.add_mutually_exclusive_group(required=True)
    source.add_argument("--metrics", type=Path, metavar="FILE", help="measures as JSON")
    source.add_argument("--cloud", action="store_true", help="read them from Cloud Monitoring")
    gate.add_argument("--since", type=span, default=span("1h"), help="of the cloud; default: 1h")
    gate.add_argument(
        "--of",
        choices=[each.value for each in Judged],
        default=Judged.CANARY,
        help="of the cloud: the new revisions, or those before them; default: canary",
    )
    gate.add_argument(
        "--revision", action="append", default=[], help="of the cloud: these revisions instead"
    )
    gate.add_argument("--save", type=Path, metavar="FILE", help="keep the measures, to compare")
    gate.set_defaults(command=_gate)
    _where(gate)

    comparing = commands.add_parser("compare", help="two releases, or two arms, side by side")
    comparing.add_argument("a", type=Path, metavar="A", help="measures as JSON: what is there")
    comparing.add_argument(
        "b", type=Path, metavar="B", help="measures as JSON: what may replace it"
    )
    comparing.add_argument("--json", action="store_true", help="one JSON document")
    comparing.set_defaults(command=_compare)

    switching.add_command(commands)
    order_cap.add_command(commands)
    return made


def _add_moves(commands: Any) -> None:
    pin = commands.add_parser("pin", help="name what has all traffic as the last good release")
    pin.set_defaults(
        command=lambda wanted: moving.pin(_place(wanted), wanted.only or services(), yes=wanted.yes)
    )
    _moves_traffic(pin)

    canary = commands.add_parser("canary", help="give the newest revisions part of the traffic")
    canary.add_argument("percent", type=int, choices=STAGES, metavar="PERCENT", help=f"{STAGES}")
    canary.add_argument(
        "--again", action="store_true", help="of --only: although it was rolled back"
    )
    canary.set_defaults(command=_canary)
    _moves_traffic(canary)

    back = commands.add_parser("rollback", help="give the traffic to the last good release")
    back.add_argument(
        "--leave",
        type=int,
        choices=STAGES[:-1],
        default=0,
        metavar="PERCENT",
        help=f"gradually: so much stays with the newest, {STAGES[:-1]}",
    )
    back.add_argument("--to", metavar="REVISION", help="of one service (--only): go back to this")
    back.set_defaults(command=_rollback)
    _moves_traffic(back)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code."""
    try:
        try:
            code = _run(parser().parse_args(arguments))
        finally:  # also after --help, which ends by SystemExit
            sys.stdout.flush()
            sys.stderr.flush()
    except BrokenPipeError:
        write_no_more()
        return CLOSED
    return code


def _run(wanted: argparse.Namespace) -> int:
    try:
        code: int = wanted.command(wanted)
    except _NotAsked as problem:
        print(problem, file=sys.stderr)
        return USAGE
    except (NotJudged, GcloudFailed) as error:
        print(error, file=sys.stderr)
        return NOT_PASSED
    except (GoogleAPICallError, GoogleAuthError) as error:
        print(f"Cloud Monitoring does not say: {error}", file=sys.stderr)
        return NOT_PASSED
    except BrokenPipeError:
        raise
    except OSError as error:
        print(error, file=sys.stderr)
        return NOT_PASSED
    return code


class _NotAsked(Exception):
    """Something that the command needs was not said."""


def _canary(wanted: argparse.Namespace) -> int:
    if wanted.again and not wanted.only:
        # The newest of another service may be of an older release, and the one with the fault.
        raise _NotAsked("Of which services? Say --only SERVICE, each that is to go on.")
    of, place = wanted.only or services(), _place(wanted)
    return moving.canary(place, of, wanted.percent, again=wanted.again, yes=wanted.yes)


def _rollback(wanted: argparse.Namespace) -> int:
    of = wanted.only or services()
    if wanted.to and len(of) != 1:
        raise _NotAsked("Of which service is it a revision? Say --only SERVICE.")
    if wanted.to and not wanted.to.startswith(f"{of[0]}-"):
        raise _NotAsked(f"{wanted.to} is no revision of {of[0]}: those begin with {of[0]}-")
    place = _place(wanted)
    return moving.rollback(place, of, leave=wanted.leave, to=wanted.to, yes=wanted.yes)


def _gate(wanted: argparse.Namespace) -> int:
    measures = _from_cloud(wanted) if wanted.cloud else _read(wanted.metrics)
    if wanted.save is not None:
        _save(measures, wanted.save)
    criteria = judge(measures)
    print(report.of_gate(measures.revisions, criteria))
    return OK if all(each.holds for each in criteria) else NOT_PASSED


def _read(path: Path) -> Measures:
    try:
        return Measures.read(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # of pydantic and of a decoder as well
        raise _NotAsked(f"The measures of {path} cannot be read: {error}") from error


def _save(measures: Measures, path: Path) -> None:
    try:
        path.write_text(json.dumps(measures.to_json(), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise _NotAsked(f"The measures cannot be kept: {error}") from error


def _from_cloud(wanted: argparse.Namespace) -> Measures:
    from google.cloud import monitoring_v3

    from infra.release.cloud_measures import CloudMeasures

    place, now = _place(wanted), datetime.now(UTC)
    revisions = wanted.revision or judged(place, services(), Judged(wanted.of))
    client = monitoring_v3.MetricServiceClient()
    return CloudMeasures(client, place.project, revisions).between(now - wanted.since, now)


def _compare(wanted: argparse.Namespace) -> int:
    a, b = (_read(path) for path in (wanted.a, wanted.b))
    comparison = compare(a, b)
    print(report.as_json(comparison) if wanted.json else report.of_comparison(comparison))
    return OK if comparison.recommendation is Recommendation.GO_ON else NOT_PASSED


def _place(wanted: argparse.Namespace) -> Place:
    project = wanted.project or os.environ.get("GOOGLE_CLOUD_PROJECT")
    if not project:
        raise _NotAsked("Which project? Say --project P, or set GOOGLE_CLOUD_PROJECT.")
    return Place(project, wanted.region)


def _where(command: argparse.ArgumentParser) -> None:
    command.add_argument("--project", metavar="P", help="default: GOOGLE_CLOUD_PROJECT")
    said = f"default: {REGION}, or {DEFAULT_REGION}"
    command.add_argument("--region", default=default_region(), help=said)


def _moves_traffic(command: argparse.ArgumentParser) -> None:
    _where(command)
    command.add_argument("--only", action="append", choices=services(), help="this service alone")
    command.add_argument("--yes", action="store_true", help="do it; else it is only shown")
