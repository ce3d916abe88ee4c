"""Which revision gets how much of the traffic, as calls of gcloud. Pure: others run them.

A second-generation function is a Cloud Run service, and a release of it one revision. A release is
deployed without traffic (`all_traffic_on_latest_revision = false`), and is given it in stages.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from infra.local.stack import ROOT

Argv = tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """Where the functions are."""

    project: str
    region: str

    @property
    def options(self) -> Argv:
        """As gcloud wants to be told."""
        return (f"--project={self.project}", f"--region={self.region}")


class NoOtherRevision(Exception):
    """There is no second revision to give traffic to, or to take it from."""


def services() -> Sequence[str]:
    """The Cloud Run service of every function, in the order of `infra/deployment.json`."""
    deployment = json.loads((ROOT / "infra" / "deployment.json").read_text())
    return [name.replace("_", "-") for name in deployment["functions"]]


@dataclass(frozen=True)
class Serving:
    """The revisions of one service: the `newest`, the one `before` it, and who has the traffic."""

    service: str
    newest: str
    before: str | None
    percent: Mapping[str, int]

    @classmethod
    def of(cls, described: Mapping[str, Any], revisions: Sequence[str]) -> "Serving":
        """From `gcloud run services describe`, and from the list of revisions, the newest first."""
        newest = described["status"]["latestReadyRevisionName"]
        percent = {
            each["revisionName"]: each["percent"]
            for each in described["status"].get("traffic", ())
            if each.get("percent")
        }
        others = [name for name in percent if name != newest]
        older = revisions[revisions.index(newest) + 1 :] if newest in revisions else []
        # Who still has traffic is known to work; else it is whoever was there before.
        before = max(others, key=lambda name: percent[name]) if others else next(iter(older), None)
        return cls(described["metadata"]["name"], newest, before, percent)


def describe(place: Place, service: str) -> Argv:
    """Asks who has the traffic of a service."""
    return ("gcloud", "run", "services", "describe", service, *place.options, "--format=json")


def list_revisions(place: Place, service: str) -> Argv:
    """Asks for the last revisions of a service, the newest first."""
    return (
        *("gcloud", "run", "revisions", "list", f"--service={service}", *place.options),
        *("--sort-by=~metadata.creationTimestamp", "--limit=10", "--format=value(metadata.name)"),
    )


NEWEST: Final = "NEWEST"
BEFORE: Final = "BEFORE"


def unknown(service: str) -> Serving:
    """A service of which nothing could be asked; the names stand for those that gcloud shows."""
    newest, before = f"{service}-{NEWEST}", f"{service}-{BEFORE}"
    return Serving(service, newest, before, {before: 100})


def canary(place: Place, serving: Serving, percent: int) -> Argv:
    """Gives `percent` of the traffic to the newest revision, and the rest to the one before.

    Raises:
        NoOtherRevision: the newest one is the only one.
    """
    if percent == 100:
        return _split(place, serving.service, {serving.newest: 100})
    if serving.before is None:
        raise NoOtherRevision(serving.service)
    shares = {serving.newest: percent, serving.before: 100 - percent}
    return _split(place, serving.service, shares)


def rollback(place: Place, serving: Serving) -> Argv:
    """Gives all traffic to the revision before the newest.

    Raises:
        NoOtherRevision: there is none.
    """
    if serving.before is None:
        raise NoOtherRevision(serving.service)
    return _split(place, serving.service, {serving.before: 100})


def _split(place: Place, service: str, shares: Mapping[str, int]) -> Argv:
    told = ",".join(f"{revision}={percent}" for revision, percent in shares.items())
    update = ("gcloud", "run", "services", "update-traffic", service, *place.options)
    return (*update, f"--to-revisions={told}", "--quiet")
