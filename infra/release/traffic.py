"""Parses the traffic of a service by revision, as gcloud describes it. Pure.

A second-generation function is a Cloud Run service, and each release of it is one revision. Its
traffic settings mark the good releases (docs/decisions/0025); a change replaces them as a whole:

- Each revision has a share. A share that follows LATEST moves to every new revision at once.
- The tag `last-good` marks the target revision of a rollback. `pin` sets the tag on the revision
  with all traffic.
- A tag `not-SUFFIX` says that the revision SERVICE-SUFFIX was rolled back. The tag is set on the
  last good revision, because a tag creates an address, and a faulty revision must not have one.

Shapes: `gcloud run services describe --format=json` prints the service of the Cloud Run Admin API,
version 1 (reference of `namespaces.services`: ServiceStatus, TrafficTarget).
"""

import json
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from infra.local.stack import ROOT

Argv = tuple[str, ...]

LAST_GOOD: Final = "last-good"
ROLLED_BACK: Final = "not-"


@dataclass(frozen=True)
class Target:
    """The project and the region in which the functions run."""

    project: str
    region: str

    @property
    def options(self) -> Argv:
        """The gcloud options that select the project and the region."""
        return (f"--project={self.project}", f"--region={self.region}")

    def command(self, *words: str) -> str:
        """Return the command line of `scripts/release` with `words` in this project and region."""
        where = ("--project", self.project, "--region", self.region)
        return shlex.join(["scripts/release", *words, *where])


def services() -> Sequence[str]:
    """Return each function's Cloud Run service, in the order of `infra/deployment.json`."""
    deployment = json.loads((ROOT / "infra" / "deployment.json").read_text())
    return [name.replace("_", "-") for name in deployment["functions"]]


@dataclass(frozen=True)
class Serving:
    """The traffic of one service.

    `newest` is the newest ready revision; `unready` is a later revision that is not ready yet.
    """

    service: str
    newest: str
    percent: Mapping[str, int]
    follows_latest: bool = False
    last_good: str | None = None
    rolled_back: Sequence[str] = field(default_factory=tuple)
    unready: str | None = None

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> "Serving":
        """Parse the output of `gcloud run services describe --format=json`."""
        service, status = described["metadata"]["name"], described["status"]
        targets = status.get("traffic", ())
        percent: Counter[str] = Counter()
        for target in targets:
            # A revision may have several targets: by its name, as LATEST, and one for each tag.
            percent[target["revisionName"]] += target.get("percent", 0)
        tags = {each["tag"]: each["revisionName"] for each in targets if each.get("tag")}
        newest = status["latestReadyRevisionName"]
        created = status.get("latestCreatedRevisionName", newest)
        return cls(
            service=service,
            newest=newest,
            percent={name: share for name, share in percent.items() if share},
            follows_latest=any(
                each.get("latestRevision") and each.get("percent") for each in targets
            ),
            last_good=tags.get(LAST_GOOD),
            rolled_back=tuple(
                f"{service}-{tag.removeprefix(ROLLED_BACK)}"
                for tag in sorted(tags)
                if tag.startswith(ROLLED_BACK)
            ),
            unready=None if created == newest else created,
        )

    @property
    def has_everything(self) -> str | None:
        """The revision with all traffic; None while the traffic is split."""
        return next(iter(self.percent)) if len(self.percent) == 1 else None

    @property
    def before(self) -> str | None:
        """The target of a rollback of the newest revision; None if there is no target.

        The target is the last good release. But if the newest revision shares the traffic with one
        other revision, the target is that other revision, because it works, and a person may have
        moved traffic without a pin.
        """
        if self.last_good == self.newest:
            return None
        is_split = self.newest in self.percent or self.last_good is None
        return self.others[0] if is_split and len(self.others) == 1 else self.last_good

    @property
    def is_first(self) -> bool:
        """Whether the newest revision is certainly the first one: Cloud Run counts from 1."""
        number = self.newest.removeprefix(f"{self.service}-").partition("-")[0]
        return self.unready is None and number.isdecimal() and int(number) == 1

    @property
    def others(self) -> Sequence[str]:
        """The revisions with traffic, without the newest revision."""
        return [name for name in self.percent if name != self.newest]

    @property
    def canary(self) -> str | None:
        """The newest revision, if it has traffic and can be rolled back."""
        is_one = self.before is not None and self.newest in self.percent
        return self.newest if is_one and self.newest not in self.rolled_back else None


def tag_of(service: str, rolled_back: str) -> str:
    """Return the tag that marks the revision `rolled_back` as rolled back."""
    return ROLLED_BACK + rolled_back.removeprefix(f"{service}-")


def describe(target: Target, service: str) -> Argv:
    """Return the gcloud command that describes a service."""
    return ("gcloud", "run", "services", "describe", service, *target.options, "--format=json")


def unknown(service: str, *, pinned: bool, released: bool = False) -> Serving:
    """Return a service with placeholders instead of the names of its revisions.

    With `released` the newest revision has all traffic, so that a rollback can be shown.
    """
    newest, before = f"{service}-NEWEST", f"{service}-LAST-GOOD"
    if not pinned:
        return Serving(service, before, {before: 100}, follows_latest=True)
    return Serving(service, newest, {newest if released else before: 100}, last_good=before)
