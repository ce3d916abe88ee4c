"""Builds the archive of a release, and prints the plan of its deployment."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from infra.local.stack import ROOT
from infra.release.gate import STAGES, WATCH_FOR
from infra.release.traffic import Target, services
from lumimd.domain.visit import SCHEMA_VERSION

ARCHIVE: Final = ROOT / "dist" / "functions.zip"


def build(archive: Path = ARCHIVE) -> int:
    """Build the archive, print its path and hash, and return the exit code."""
    made = _built(archive)
    print(made.stdout, end="")
    print(made.stderr, end="", file=sys.stderr)
    return made.returncode


def plan(target: Target) -> int:
    """Print the planned deployment and its commands in order, and return the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        made = _built(Path(folder) / "functions.zip")
    if made.returncode != 0:
        print(made.stderr, end="", file=sys.stderr)
        return made.returncode
    where = f"--project {target.project} --region {target.region}"
    print(f"""\
source     {_commit()}
archive    sha256 {made.stdout.split()[-1]}
documents  schema version {SCHEMA_VERSION}
functions  {", ".join(services())}
to         project {target.project}, {target.region}

scripts/release pin {where} --yes   # before Terraform: else the new one has all traffic
scripts/release build
terraform -chdir=terraform apply -var-file=environments/prod.tfvars \
-var all_traffic_on_latest_revision=false""")
    for stage in STAGES:
        hours = WATCH_FOR[stage].total_seconds() / 3600
        print(f"scripts/release canary {stage} {where} --yes   # watch for {hours:.0f} h, then")
        print(f"scripts/release gate --cloud {where} --since {hours:.0f}h")
    print(f"scripts/release pin {where} --yes   # the new release is the last good one from now on")
    print(f"\n# back, at any time before: scripts/release rollback {where} --yes")
    return 0


def _built(archive: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "build"), str(archive)],
        capture_output=True,
        text=True,
        check=False,
    )


def _commit() -> str:
    """Return the commit, with `-dirty` if files were changed; an unpacked archive has no commit."""
    result = subprocess.run(
        ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"],
        capture_output=True,
        text=True,
        check=False,
    )
    return result.stdout.strip() or "not a checkout"
