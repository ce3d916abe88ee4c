"""A simulated `gcloud` on the path, backed by a simulated Cloud Run, that records its calls."""

import json
import sys
from pathlib import Path
from typing import Any

from infra.local.stack import ROOT
from infra.release.cli import main
from infra.release.traffic import services
from tests.release.cloud_run import CloudRun

PROGRAM = f"""#!{sys.executable} -IS
import pathlib, sys
sys.path.insert(0, {str(ROOT)!r})
from tests.release.cloud_run import main
main(pathlib.Path(sys.argv[0]).parent, sys.argv[1:])
"""


class Gcloud:
    """The simulated gcloud program in `folder`, with the state of a project."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.set_state(services={}, account="operator@example.com", refused=[])
        for service in services():
            self.cloud(lambda cloud, service=service: cloud.create(service))
        program = folder / "gcloud"
        program.write_text(PROGRAM)
        program.chmod(0o755)

    @property
    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads((self.folder / "state.json").read_text())
        return state

    def set_state(self, **changed: Any) -> None:
        file = self.folder / "state.json"
        before = json.loads(file.read_text()) if file.exists() else {}
        file.write_text(json.dumps(before | changed))

    def cloud(self, change: Any) -> None:
        """Change the services as Terraform or another person does."""
        state = self.state
        change(CloudRun(state["services"]))
        self.set_state(**state)

    def terraform(self, suffix: str, *, unready: str = "", unchanged: str = "") -> None:
        """Deploy each service as Terraform does with `all_traffic_on_latest_revision=false`."""
        for service in services():
            if service != unchanged:
                ready = service != unready
                self.cloud(lambda cloud, s=service, r=ready: cloud.deploy(s, suffix, ready=r))

    def shares(self, service: str) -> dict[str, int]:
        """Return the percentage of each revision of a service, by the suffix of the revision."""
        shares = CloudRun(self.state["services"]).shares(service)
        return {name.removeprefix(f"{service}-"): share for name, share in shares.items()}

    def tags(self, service: str) -> dict[str, str]:
        targets = self.state["services"][service]["traffic"]
        return {
            each["tag"]: each["key"].removeprefix(f"{service}-")
            for each in targets
            if each.get("tag")
        }

    def changes(self) -> list[list[str]]:
        """Return every recorded call that moved traffic or tried to move traffic."""
        file = self.folder / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        calls = [json.loads(line) for line in lines]
        return [call for call in calls if "update-traffic" in call]


WHERE = ["--project", "demo", "--region", "europe-west3"]
SOME = ["api", "summarize-visit", "wake-due-visits"]
"""Three of the services, because calls of gcloud take time and all services behave alike."""
OLD, NEW = "00001-aaa", "00002-bbb"


def do(*words: str) -> int:
    """Run a command for SOME services, unless `words` has `--only`, and return the exit code."""
    only = [] if "--only" in words else [f"--only={service}" for service in SOME]
    return main([*words, *only, "--yes", *WHERE])
