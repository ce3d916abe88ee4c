"""gcloud, where there is one: asked freely, told to change something only when that is wanted."""

import json
import shutil
import subprocess
from typing import Final

from infra.release.traffic import Argv, Place, Serving, describe, unknown

TIMEOUT_S: Final = 180
"""Moving traffic waits until the service says that it has."""


class GcloudFailed(Exception):
    """gcloud says no; what it says is the message."""


class NoService(GcloudFailed):
    """The service is not deployed."""


def is_ready() -> bool:
    """Whether gcloud is on this machine and somebody has signed in."""
    if shutil.which("gcloud") is None:
        return False
    try:
        return bool(
            run(("gcloud", "auth", "list", "--filter=status:ACTIVE", "--format=value(account)"))
        )
    except GcloudFailed:
        return False


def run(argv: Argv) -> str:
    """Run it; what it wrote to standard output.

    Raises:
        GcloudFailed: it ended with an error, or not at all.
    """
    try:
        ran = subprocess.run(argv, capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
    except subprocess.CalledProcessError as error:
        raise GcloudFailed(error.stderr.strip() or f"exit code {error.returncode}") from error
    except (subprocess.TimeoutExpired, OSError) as error:
        raise GcloudFailed(f"{argv[0]}: {type(error).__name__}") from error
    return ran.stdout.strip()


def serving(
    place: Place, service: str, *, ask: bool, pinned: bool = True, released: bool = False
) -> Serving:
    """The traffic of a service; where gcloud is not ready, placeholders (see `unknown`).

    Raises:
        NoService: it is not deployed.
        GcloudFailed: it cannot be described, or has never been ready.
    """
    if not ask:
        return unknown(service, pinned=pinned, released=released)
    try:
        described = run(describe(place, service))
    except GcloudFailed as error:
        if "Cannot find service" in str(error):
            raise NoService("is not deployed") from error
        raise
    try:
        return Serving.of(json.loads(described))
    except (ValueError, KeyError) as error:
        raise GcloudFailed("no revision of it has ever been ready") from error
