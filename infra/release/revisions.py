"""The revisions that the gate judges: those of the canary alone, never the total of all.

With a canary of 10 % of which every second visit fails, 95 % of all visits still complete.
"""

from collections.abc import Sequence
from enum import StrEnum

from infra.release import gcloud
from infra.release.traffic import Serving, Target


class RevisionGroup(StrEnum):
    """The revisions to judge."""

    CANARY = "canary"
    LAST_GOOD = "last-good"


class NoRevision(Exception):
    """No service has such a revision; the message names the remedy."""


def revisions_of(target: Target, services: Sequence[str], group: RevisionGroup) -> Sequence[str]:
    """The revisions of all services. A service without a new revision has no canary.

    Raises:
        NoRevision: no service has one, or gcloud is not ready.
        GcloudFailed: a service cannot be described.
    """
    if not gcloud.is_ready():
        raise NoRevision("gcloud is not here, or nobody has signed in. Name them: --revision NAME")
    found = [_serving(target, service) for service in services]
    if group is RevisionGroup.CANARY:
        revisions = [each.canary for each in found]
    else:
        revisions = [each.last_good for each in found]
    names = [name for name in revisions if name is not None]
    if not names:
        is_canary = group is RevisionGroup.CANARY
        missing = "--of last-good" if is_canary else target.command("pin", "--yes")
        raise NoRevision(f"No service has a revision that is {group}. See: {missing}")
    return names


def _serving(target: Target, service: str) -> Serving:
    try:
        return gcloud.serving(target, service, ask=True)
    except gcloud.GcloudFailed as error:
        raise gcloud.GcloudFailed(f"{service}: {error}") from error
