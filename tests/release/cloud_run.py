"""Simulate Cloud Run with traffic settings, and a `gcloud` that describes and changes it.

The simulation follows the documentation:

- `gcloud run services update-traffic` (docs.cloud.google.com/sdk/gcloud/reference/run/services/
  update-traffic): "the tags change occurs first then the traffic percentage change occurs";
  "--remove-tags will be applied first"; "If 100 percent of traffic is assigned, the Service traffic
  is updated as specified"; shares under 100 in total scale the other shares; LATEST is "the latest
  ready revision"; changing tags does not affect percentages.
- Cloud Run Admin API v1, `namespaces.services` (docs.cloud.google.com/run/docs/reference/rest/v1):
  ServiceStatus `latestReadyRevisionName`, `latestCreatedRevisionName`, `traffic`; TrafficTarget
  `revisionName` (in the status also for LATEST), `latestRevision`, `percent`, `tag`, `url`.
- Rollbacks and traffic migration (docs.cloud.google.com/run/docs/rollouts-rollbacks-traffic-
  migration): a split is kept by "all subsequent deployments".
- Functions, `ServiceConfig.all_traffic_on_latest_revision` (docs.cloud.google.com/functions/docs/
  reference/rest/v2): when true, the new revision takes 100 % and ignores the settings. When false,
  it "does NOT mean the latest revision will not receive traffic. It tells GCF to honor the existing
  traffic configuration" (github.com/GoogleCloudPlatform/magic-modules/pull/16981).
"""

import json
import sys
from pathlib import Path
from typing import Any

LATEST = "LATEST"

State = dict[str, Any]


class CloudRunError(Exception):
    """An error of the simulated gcloud, with its message."""


class CloudRun:
    """The services of a project, each with its revisions in order and its traffic settings."""

    def __init__(self, state: State) -> None:
        self.state = state

    def create(self, service: str, first: str = "00001-aaa") -> None:
        """Deploy a function for the first time, so that its traffic follows LATEST."""
        self.state[service] = {
            "revisions": [],
            "traffic": [{"key": LATEST, "percent": 100}],
        }
        self.deploy(service, first)

    def deploy(self, service: str, suffix: str, *, ready: bool = True) -> str:
        """Add a revision as Terraform does with `all_traffic_on_latest_revision = false`."""
        name = f"{service}-{suffix}"
        of = self.state[service]
        of["revisions"].append({"name": name, "ready": ready})
        return name

    def describe(self, service: str) -> State:
        """Return the used part of `gcloud run services describe SERVICE --format=json`."""
        if service not in self.state:
            raise CloudRunError(
                f"ERROR: (gcloud.run.services.describe) Cannot find service [{service}]"
            )
        of = self.state[service]
        return {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Service",
            "metadata": {"name": service, "generation": len(of["revisions"])},
            "spec": {"traffic": [self._target(each) for each in of["traffic"]]},
            "status": {
                "latestCreatedRevisionName": of["revisions"][-1]["name"],
                "latestReadyRevisionName": self._latest_ready(service),
                "traffic": [
                    self._target(each) | {"revisionName": self._named(service, each["key"])}
                    for each in of["traffic"]
                ],
                "url": f"https://{service}-abcdefghij-ey.a.run.app",
            },
        }

    def update_traffic(self, service: str, options: list[str]) -> None:
        """Apply `gcloud run services update-traffic SERVICE OPTIONS`."""
        values = dict(
            option.removeprefix("--").split("=", 1) for option in options if "=" in option
        )
        targets = self.state[service]["traffic"]
        names = {each["name"] for each in self.state[service]["revisions"]}
        for tag in filter(None, values.get("remove-tags", "").split(",")):
            targets = [each for each in targets if each.get("tag") != tag]
        for tag, key in _pairs(values.get("update-tags", "")):
            self._check_known(key, names)
            targets = [each for each in targets if each.get("tag") != tag]
            targets.append({"key": key, "tag": tag})
        shares = {key: int(percent) for key, percent in _pairs(values.get("to-revisions", ""))}
        if shares:
            for key in shares:
                self._check_known(key, names)
            if sum(shares.values()) != 100:
                raise CloudRunError("only shares of 100 % in all are known here")
            targets = [each for each in targets if each.get("tag")]
            targets += [{"key": key, "percent": share} for key, share in shares.items() if share]
        self.state[service]["traffic"] = targets

    def shares(self, service: str) -> dict[str, int]:
        """Return the percentage of requests that each revision receives."""
        found: dict[str, int] = {}
        for each in self.state[service]["traffic"]:
            if each.get("percent"):
                name = self._named(service, each["key"])
                found[name] = found.get(name, 0) + each["percent"]
        return found

    def _latest_ready(self, service: str) -> str:
        ready = [each["name"] for each in self.state[service]["revisions"] if each["ready"]]
        return str(ready[-1])

    def _named(self, service: str, key: str) -> str:
        return self._latest_ready(service) if key == LATEST else key

    @staticmethod
    def _target(each: State) -> State:
        target = {name: value for name, value in each.items() if name != "key"}
        if each.get("tag"):
            target["url"] = f"https://{each['tag']}---service-abcdefghij-ey.a.run.app"
        if each["key"] == LATEST:
            return {**target, "latestRevision": True}
        return {**target, "revisionName": each["key"]}

    @staticmethod
    def _check_known(key: str, names: set[str]) -> None:
        if key not in names | {LATEST}:
            raise CloudRunError(f"ERROR: Revision [{key}] not found")


def _pairs(text: str) -> list[tuple[str, str]]:
    return [(each.split("=")[0], each.split("=")[1]) for each in text.split(",") if each]


def main(folder: Path, words: list[str]) -> None:
    """Run `gcloud WORDS`: read and write `folder/state.json`, and record the call."""
    with (folder / "calls").open("a") as file:
        file.write(json.dumps(words) + "\n")
    state = json.loads((folder / "state.json").read_text())
    cloud = CloudRun(state["services"])
    try:
        match words:
            case ["auth", "list", *_]:
                print(state["account"])
            case ["run", "services", "describe", service, *_]:
                print(json.dumps(cloud.describe(service), indent=2))
            case ["run", "services", "update-traffic", service, *options]:
                if service in state["refused"]:
                    raise CloudRunError("ERROR: permission denied")
                cloud.update_traffic(service, options)
            case _:
                raise CloudRunError(f"ERROR: Invalid choice: {words}")
    except CloudRunError as error:
        sys.exit(str(error))
    (folder / "state.json").write_text(json.dumps(state))
