"""Calls the gcloud program, if it is installed."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from infra.release.traffic import Argv, Serving, Target, describe, unknown

TIMEOUT_S: Final = 180
"""Long, because gcloud waits until the service reports the new traffic."""


class GcloudFailed(Exception):
    """gcloud failed; the message is its standard error."""


class NoService(GcloudFailed):
    """The service is not deployed."""


class RevisionGroup(StrEnum):
    """The group of revisions that the gate judges."""

    CANARY = "canary"
    LAST_GOOD = "last-good"


class NoRevision(Exception):
    """No service has a revision of the wanted group; the message names the remedy."""


def is_ready() -> bool:
    """Return whether gcloud is installed and has an active account."""
    if shutil.which("gcloud") is None:
        return False
    try:
        return bool(
            run(("gcloud", "auth", "list", "--filter=status:ACTIVE", "--format=value(account)"))
        )
    except GcloudFailed:
        return False


def run(argv: Argv) -> str:
    """Run a command and return its standard output.

    Raises:
        GcloudFailed: the command failed, timed out, or is not installed.
    """
    try:
        ran = subprocess.run(argv, capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
    except subprocess.CalledProcessError as error:
        raise GcloudFailed(error.stderr.strip() or f"exit code {error.returncode}") from error
    except (subprocess.TimeoutExpired, OSError) as error:
        raise GcloudFailed(f"{argv[0]}: {type(error).__name__}") from error
    return ran.stdout.strip()


def serving(
    target: Target, service: str, *, ask: bool, pinned: bool = True, released: bool = False
) -> Serving:
    """Ask gcloud for the traffic of a service; without `ask` return placeholders (`unknown`).

    Raises:
        NoService: the service is not deployed.
        GcloudFailed: the service cannot be described, or has never been ready.
    """
    if not ask:
        return unknown(service, pinned=pinned, released=released)
    try:
        described = run(describe(target, service))
    except GcloudFailed as error:
        if "Cannot find service" in str(error):
            raise NoService("is not deployed") from error
        raise
    try:
        return Serving.of(json.loads(described))
    except (ValueError, KeyError) as error:
        raise GcloudFailed("no revision of it has ever been ready") from error


def revisions_of(target: Target, services: Sequence[str], group: RevisionGroup) -> Sequence[str]:
    """Return the revisions that the gate judges: only the revisions of `group`, never all.

    All revisions together would hide a faulty canary: if 10 % of the traffic goes to a canary
    where every second visit fails, 95 % of all visits still complete. A service without a new
    revision has no canary.

    Raises:
        NoRevision: no service has a revision of the group, or gcloud is not ready.
        GcloudFailed: a service cannot be described.
    """
    if not is_ready():
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
        return serving(target, service, ask=True)
    except GcloudFailed as error:
        raise GcloudFailed(f"{service}: {error}") from error
