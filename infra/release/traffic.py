"""Which revision of a service has how much of the traffic, read from gcloud. Pure.

A second-generation function is a Cloud Run service, and a release of it one revision. Its traffic
settings say which releases are good (docs/decisions/0025); a change replaces them as a whole:

- the share of each revision; a share that follows LATEST moves to every new revision at once;
- the tag `last-good` at the revision to which a rollback goes. `pin` sets it at the revision that
  has all traffic;
- a tag `not-SUFFIX` for the revision SERVICE-SUFFIX, which was rolled back. It is at the last good
  revision: a tag makes an address, and a revision with a fault shall have none.

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
class Place:
    """Where the functions are."""

    project: str
    region: str

    @property
    def options(self) -> Argv:
        """As gcloud wants to be told."""
        return (f"--project={self.project}", f"--region={self.region}")

    def command(self, *words: str) -> str:
        """A command of `scripts/release` for the functions that are here, to be typed as it is."""
        where = ("--project", self.project, "--region", self.region)
        return shlex.join(["scripts/release", *words, *where])


def services() -> Sequence[str]:
    """The Cloud Run service of every function, in the order of `infra/deployment.json`."""
    deployment = json.loads((ROOT / "infra" / "deployment.json").read_text())
    return [name.replace("_", "-") for name in deployment["functions"]]


@dataclass(frozen=True)
class Serving:
    """The traffic of one service.

    `newest` is the newest revision that is ready; a revision after it, `unready`, is not.
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
        """From `gcloud run services describe --format=json`."""
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
        """The revision that has all traffic; None while it is split."""
        return next(iter(self.percent)) if len(self.percent) == 1 else None

    @property
    def before(self) -> str | None:
        """The release to which the newest goes back; None where there is none.

        It is the last good one. Where the newest shares its traffic with one other revision, a
        person may have moved it without a pin: then it is that one, which is known to work.
        """
        if self.last_good == self.newest:
            return None
        is_split = self.newest in self.percent or self.last_good is None
        return self.others[0] if is_split and len(self.others) == 1 else self.last_good

    @property
    def is_first(self) -> bool:
        """Whether the newest revision is surely the only one. Cloud Run numbers them from 1."""
        number = self.newest.removeprefix(f"{self.service}-").partition("-")[0]
        return self.unready is None and number.isdecimal() and int(number) == 1

    @property
    def others(self) -> Sequence[str]:
        """The revisions with traffic besides the newest."""
        return [name for name in self.percent if name != self.newest]

    @property
    def canary(self) -> str | None:
        """The newest revision, where it is a release that has traffic and may go back."""
        is_one = self.before is not None and self.newest in self.percent
        return self.newest if is_one and self.newest not in self.rolled_back else None


def tag_of(service: str, rolled_back: str) -> str:
    """The tag that says of a revision that it was rolled back."""
    return ROLLED_BACK + rolled_back.removeprefix(f"{service}-")


def describe(place: Place, service: str) -> Argv:
    """Asks for the traffic of a service."""
    return ("gcloud", "run", "services", "describe", service, *place.options, "--format=json")


def unknown(service: str, *, pinned: bool, released: bool = False) -> Serving:
    """A service of which nothing could be asked; the names stand for those that gcloud shows.

    `released`: the newest revision has the traffic, so there is something to take back.
    """
    newest, before = f"{service}-NEWEST", f"{service}-LAST-GOOD"
    if not pinned:
        return Serving(service, before, {before: 100}, follows_latest=True)
    return Serving(service, newest, {newest if released else before: 100}, last_good=before)
