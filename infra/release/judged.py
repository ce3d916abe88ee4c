"""Which revisions the gate judges: the canary's own, never the total of all revisions.

A canary of 10 % whose every second visit fails still leaves 95 % of all visits completed.
"""

from collections.abc import Sequence
from enum import StrEnum

from infra.release import gcloud
from infra.release.traffic import Place, Serving


class Judged(StrEnum):
    """The revisions that are judged."""

    CANARY = "canary"
    LAST_GOOD = "last-good"


class NotJudged(Exception):
    """There is no such revision; the message says what to do."""


def judged(place: Place, services: Sequence[str], which: Judged) -> Sequence[str]:
    """The revisions of all services. A service without a new revision has no canary.

    Raises:
        NotJudged: no service has one, or gcloud is not ready.
        GcloudFailed: a service cannot be described.
    """
    if not gcloud.is_ready():
        raise NotJudged("gcloud is not here, or nobody has signed in. Name them: --revision NAME")
    found = [_serving(place, service) for service in services]
    if which is Judged.CANARY:
        revisions = [each.canary for each in found]
    else:
        revisions = [each.last_good for each in found]
    names = [name for name in revisions if name is not None]
    if not names:
        missing = "--of last-good" if which is Judged.CANARY else place.command("pin", "--yes")
        raise NotJudged(f"No service has a revision that is {which}. See: {missing}")
    return names


def _serving(place: Place, service: str) -> Serving:
    try:
        return gcloud.serving(place, service, ask=True)
    except gcloud.GcloudFailed as error:
        raise gcloud.GcloudFailed(f"{service}: {error}") from error
