"""`scripts/release`: build, move traffic in stages, judge, compare, go back; and the switches.

Exit codes: 0 done or passed, 1 not passed or some of it failed, 2 it was not asked rightly.
"""

import argparse
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from google.api_core.exceptions import GoogleAPICallError
from google.auth.exceptions import GoogleAuthError
from pydantic import ValidationError

from infra.ops.asked import span
from infra.ops.connection import DEFAULT_REGION
from infra.release import moving, order_cap, planning, report, switching
from infra.release.compare import Recommendation, compare
from infra.release.gate import STAGES, judge
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

    canary = commands.add_parser("canary", help="give the newest revisions part of the traffic")
    canary.add_argument("percent", type=int, choices=STAGES, metavar="PERCENT", help=f"{STAGES}")
    canary.set_defaults(
        command=lambda wanted: moving.canary(
            _place(wanted), wanted.only or services(), wanted.percent, yes=wanted.yes
        )
    )
    _moves_traffic(canary)

    back = commands.add_parser("rollback", help="give all traffic to the revisions before")
    back.set_defaults(
        command=lambda wanted: moving.rollback(
            _place(wanted), wanted.only or services(), yes=wanted.yes
        )
    )
    _moves_traffic(back)

    gate = commands.add_parser("gate", help="whether the release may go on to the next stage")
    source = gate.add_mutually_exclusive_group(required=True)
    source.add_argument("--metrics", type=Path, metavar="FILE", help="measures as JSON")
    source.add_argument("--cloud", action="store_true", help="read them from Cloud Monitoring")
    gate.add_argument("--since", type=span, default=span("1h"), help="of the cloud; default: 1h")
    gate.add_argument(
        "--revision", action="append", default=[], help="of the cloud: of these revisions alone"
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


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code."""
    wanted = parser().parse_args(arguments)
    try:
        code: int = wanted.command(wanted)
    except _NotAsked as problem:
        print(problem, file=sys.stderr)
        return USAGE
    except (OSError, ValidationError) as error:
        print(f"The measures cannot be read: {error}", file=sys.stderr)
        return USAGE
    except (GoogleAPICallError, GoogleAuthError) as error:
        print(f"Cloud Monitoring does not say: {error}", file=sys.stderr)
        return NOT_PASSED
    return code


class _NotAsked(Exception):
    """Something that the command needs was not said."""


def _gate(wanted: argparse.Namespace) -> int:
    measures = _from_cloud(wanted) if wanted.cloud else Measures.read(wanted.metrics.read_text())
    if wanted.save is not None:
        wanted.save.write_text(json.dumps(measures.to_json(), indent=1) + "\n")
    criteria = judge(measures)
    print(report.of_gate(criteria))
    return OK if all(each.holds for each in criteria) else NOT_PASSED


def _from_cloud(wanted: argparse.Namespace) -> Measures:
    from google.cloud import monitoring_v3

    from infra.release.cloud_measures import CloudMeasures

    now = datetime.now(UTC)
    client = monitoring_v3.MetricServiceClient()
    measures = CloudMeasures(client, _place(wanted).project, wanted.revision)
    return measures.between(now - wanted.since, now)


def _compare(wanted: argparse.Namespace) -> int:
    a, b = (Measures.read(path.read_text()) for path in (wanted.a, wanted.b))
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
    command.add_argument("--region", default=DEFAULT_REGION, help=f"default: {DEFAULT_REGION}")


def _moves_traffic(command: argparse.ArgumentParser) -> None:
    _where(command)
    command.add_argument("--only", action="append", choices=services(), help="this service alone")
    command.add_argument("--yes", action="store_true", help="do it; else it is only shown")
