"""gcloud, where there is one: asked freely, told to change something only when that is wanted."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from typing import Final

from infra.release.traffic import Argv, Place, Serving, describe, list_revisions, unknown

TIMEOUT_S: Final = 180
"""Moving traffic waits until the service says that it has."""


class GcloudFailed(Exception):
    """gcloud says no; what it says is the message."""


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


def serving(place: Place, services: Sequence[str], *, ask: bool) -> list[Serving]:
    """Who has the traffic of each service; placeholders where nobody can be asked.

    Raises:
        GcloudFailed: a service cannot be described.
    """
    if not ask:
        return [unknown(service) for service in services]
    return [
        Serving.of(
            json.loads(run(describe(place, service))),
            run(list_revisions(place, service)).split(),
        )
        for service in services
    ]
