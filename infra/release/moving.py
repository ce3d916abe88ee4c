"""Moving the traffic of every function: shown first, and done where that is wanted."""

import shlex
from collections.abc import Callable, Sequence
from typing import Final

from infra.release import gcloud, moves
from infra.release.moves import LeftAlone, NotMoved, ReleasedAlready
from infra.release.saying import Saying
from infra.release.traffic import Argv, Place, Serving

OK: Final = 0
SOME_FAILED: Final = 1
USAGE: Final = 2

Move = Callable[[Serving], Argv]


def pin(place: Place, services: Sequence[str], *, yes: bool) -> int:
    """Pin each service to the revision that serves it; the exit code.

    A function that Terraform is yet to make has no traffic to pin.
    """
    return _Moving(place, yes=yes, pinned=False).each(services, lambda it: moves.pin(place, it))


def canary(
    place: Place, services: Sequence[str], percent: int, *, again: bool = False, yes: bool
) -> int:
    """Give the newest revision of each service `percent` of its traffic; the exit code.

    Where one cannot be moved, none is: a release would be half under way.
    """
    moving = _Moving(place, yes=yes, pinned=True)
    return moving.all_or_none(services, lambda it: moves.canary(place, it, percent, again=again))


def rollback(
    place: Place, services: Sequence[str], *, leave: int = 0, to: str | None = None, yes: bool
) -> int:
    """Give each service back to the last good release; the exit code.

    One service that cannot be moved keeps none of the others where it is.
    """
    moving = _Moving(place, yes=yes, pinned=True, released=True)
    return moving.each(services, lambda it: moves.rollback(place, it, leave=leave, to=to))


class _Moving:
    """One move of several services. Without `yes`, it is only shown."""

    def __init__(self, place: Place, *, yes: bool, pinned: bool, released: bool = False) -> None:
        self._place = place
        self._yes = yes
        self._pinned = pinned
        self._released = released
        self._ready = gcloud.is_ready()
        self._failed = 0
        self._released_already = False
        self._say = Saying()

    def each(self, services: Sequence[str], move: Move) -> int:
        """Move one after the other."""
        if self._yes and not self._ready:
            return _not_signed_in()
        for service in services:
            argv = self._decided(service, move)
            if argv is not None:
                self._done(service, argv)
        return self._said()

    def all_or_none(self, services: Sequence[str], move: Move) -> int:
        """Move all of them, unless it is known before that one cannot be moved."""
        if self._yes and not self._ready:
            return _not_signed_in()
        decided = {service: self._decided(service, move) for service in services}
        wanted = {service: argv for service, argv in decided.items() if argv is not None}
        if self._failed:
            self._say("# No service is moved: the others would run another release.")
            return self._ended(SOME_FAILED)
        if not wanted:
            self._say(f"# {self._why_nothing()}: nothing to move.")
            return self._ended(SOME_FAILED)
        for service, argv in wanted.items():
            self._done(service, argv)
        return self._said()

    def _decided(self, service: str, move: Move) -> Argv | None:
        try:
            return move(self._serving(service))
        except LeftAlone as why:
            self._say(f"# {service} is left alone: {why}")
            self._released_already |= isinstance(why, ReleasedAlready)
        except gcloud.NoService as error:
            self._say(f"# {service}: {error}")
            self._failed += self._pinned
        except (NotMoved, gcloud.GcloudFailed) as error:
            self._say(f"# {service}: {error}")
            self._failed += 1
        return None

    def _why_nothing(self) -> str:
        if self._released_already:
            return "Every new revision that is ready and may go on has all traffic already"
        return "No service has a new revision that is ready and was not rolled back"

    def _serving(self, service: str) -> Serving:
        return gcloud.serving(
            self._place, service, ask=self._ready, pinned=self._pinned, released=self._released
        )

    def _done(self, service: str, argv: Argv) -> None:
        self._say(shlex.join(argv))
        if not self._yes:
            return
        try:
            gcloud.run(argv)
        except gcloud.GcloudFailed as error:
            self._say(f"# {service}: {error}")
            self._failed += 1

    def _said(self) -> int:
        if not self._ready:
            self._say("# NEWEST and LAST-GOOD are as `gcloud run services describe` shows them.")
        if not self._yes:
            self._say("# Nothing was changed. To do it: --yes")
        return self._ended(SOME_FAILED if self._failed else OK)

    def _ended(self, code: int) -> int:
        self._say.end()
        return code


def _not_signed_in() -> int:
    print("gcloud is not here, or nobody has signed in: gcloud auth login")
    return USAGE
