"""Runs the real terraform with stub providers on a copy of the deployed files."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

READ_BY_TERRAFORM = (
    "terraform",
    "infra/deployment.json",
    "infra/firestore.indexes.json",
    "infra/monitoring",
    "firestore.rules",
    "storage.rules",
)

ENVIRONMENTS = ("dev", "prod")


def stand_in() -> Path | None:
    """Return the command that runs terraform with stub providers; None if it is missing."""
    named = os.environ.get("TERRAFORM_OFFLINE")
    command = Path(named or ROOT.parent / "shared/tools/terraform-offline/terraform-offline")
    return command if command.exists() else None


@dataclass(frozen=True)
class Deployment:
    """A copy of the files that terraform reads, which includes the built archive."""

    folder: Path
    command: Path

    @property
    def terraform(self) -> Path:
        return self.folder / "terraform"

    def run(self, verb: str, *arguments: str, at: str = ".") -> subprocess.CompletedProcess[str]:
        """Run `terraform VERB` in the folder `at` below `terraform/`."""
        return subprocess.run(
            [str(self.command), str(self.terraform / at), verb, *arguments],
            capture_output=True,
            text=True,
            timeout=1200,  # long, for a busy machine
        )

    def plan(self, environment: str) -> dict[str, Any]:
        """Return terraform's plan of an environment, as parsed JSON."""
        file = self.folder / f"{environment}.plan"
        planned = self.run(
            "plan", f"-var-file=environments/{environment}.tfvars", f"-out={file}", "-input=false"
        )
        assert planned.returncode == 0, planned.stdout + planned.stderr
        shown = self.run("show", "-json", str(file))
        assert shown.returncode == 0, shown.stderr
        plan: dict[str, Any] = json.loads(shown.stdout)
        return plan

    def write(self, path: str, old: str, new: str) -> None:
        """Replace `old` in a file; fail unless it occurs exactly once."""
        file = self.folder / path
        text = file.read_text()
        assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times in {path}"
        file.write_text(text.replace(old, new))


def copied_to(folder: Path, command: Path) -> Deployment:
    """Copy the deployed files to `folder`, without the developer's own backend and state."""
    ignored = shutil.ignore_patterns(".terraform", "backend.tf", "*.tfstate*")
    for name in READ_BY_TERRAFORM:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=ignored)
        else:
            shutil.copy(source, target)
    build(folder / "dist" / "functions.zip")
    return Deployment(folder, command)


def build(archive: Path) -> str:
    """Let `scripts/build` write `archive`; return the hash that it prints."""
    built = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "build"), str(archive)],
        capture_output=True,
        text=True,
        check=True,
    )
    path, digest = built.stdout.split()
    assert path == str(archive)
    return digest
