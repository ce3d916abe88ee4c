"""Moving the traffic of every function: shown first, and done where that is wanted."""

import shlex
from collections.abc import Callable, Sequence
from typing import Final

from infra.release import gcloud, traffic
from infra.release.traffic import Argv, NoOtherRevision, Place, Serving

OK: Final = 0
SOME_FAILED: Final = 1
USAGE: Final = 2


def canary(place: Place, services: Sequence[str], percent: int, *, yes: bool) -> int:
    """Give the newest revision of each service `percent` of its traffic; the exit code."""
    return _move(place, services, lambda each: traffic.canary(place, each, percent), yes=yes)


def rollback(place: Place, services: Sequence[str], *, yes: bool) -> int:
    """Give each service back to the revision before the newest; the exit code."""
    return _move(place, services, lambda each: traffic.rollback(place, each), yes=yes)


def _move(
    place: Place, services: Sequence[str], how: Callable[[Serving], Argv], *, yes: bool
) -> int:
    """One service that cannot be moved keeps none of the others where it is."""
    ready = gcloud.is_ready()
    if yes and not ready:
        print("gcloud is not here, or nobody has signed in: gcloud auth login")
        return USAGE
    failed = 0
    for service in services:
        try:
            (found,) = gcloud.serving(place, [service], ask=ready)
            argv = how(found)
            print(shlex.join(argv))
            if yes:
                gcloud.run(argv)
        except NoOtherRevision:
            failed += 1
            print(f"# {service} has no other revision: nothing to move")
        except gcloud.GcloudFailed as error:
            failed += 1
            print(f"# {service}: {error}")
    if not ready:
        print("# NEWEST and BEFORE are as `gcloud run revisions list` shows them.")
    if not yes:
        print("# Nothing was changed. To do it: --yes")
    return SOME_FAILED if failed else OK
