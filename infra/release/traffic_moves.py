"""Moves the traffic of every function: prints the commands, and runs them with `--yes`."""

import shlex
from collections.abc import Callable, Sequence

from infra.ops.exits import FAILED, OK, USAGE
from infra.release import gcloud, traffic_commands
from infra.release.traffic import Argv, Serving, Target
from infra.release.traffic_commands import AlreadyReleased, CannotMove, Skipped

Move = Callable[[Serving], Argv]


def pin(target: Target, services: Sequence[str], *, yes: bool) -> int:
    """Pin each service to the revision that serves its traffic, and return the exit code.

    A function that Terraform has not created yet has no traffic to pin.
    """
    moves = _TrafficMoves(target, yes=yes, pinned=False)
    return moves.run_each(services, lambda it: traffic_commands.pin(target, it))


def canary(
    target: Target, services: Sequence[str], percent: int, *, again: bool = False, yes: bool
) -> int:
    """Give each service's newest revision `percent` of the traffic, and return the exit code.

    If one service cannot be moved, no service is moved, so that a release is never half done.
    """
    return _TrafficMoves(target, yes=yes, pinned=True).run_all_or_none(
        services, lambda it: traffic_commands.canary(target, it, percent, again=again)
    )


def rollback(
    target: Target, services: Sequence[str], *, leave: int = 0, to: str | None = None, yes: bool
) -> int:
    """Roll each service back to the last good release, and return the exit code.

    A service that cannot be moved does not stop the others.
    """
    return _TrafficMoves(target, yes=yes, pinned=True, released=True).run_each(
        services, lambda it: traffic_commands.rollback(target, it, leave=leave, to=to)
    )


class _TrafficMoves:
    """Makes the same move for several services. Without `yes` it only prints the commands."""

    def __init__(self, target: Target, *, yes: bool, pinned: bool, released: bool = False) -> None:
        self._target = target
        self._yes = yes
        self._pinned = pinned
        self._released = released
        self._ready = gcloud.is_ready()
        self._failed = 0
        self._already_released = False
        self._print = _Output()

    def run_each(self, services: Sequence[str], move: Move) -> int:
        """Move the services in order, also after one that failed, and return the exit code."""
        if self._yes and not self._ready:
            return _not_signed_in()
        for service in services:
            argv = self._command(service, move)
            if argv is not None:
                self._run(service, argv)
        return self._finish()

    def run_all_or_none(self, services: Sequence[str], move: Move) -> int:
        """Move all services, or no service if the settings of one service do not allow the move."""
        if self._yes and not self._ready:
            return _not_signed_in()
        found = {service: self._command(service, move) for service in services}
        commands = {service: argv for service, argv in found.items() if argv is not None}
        if self._failed:
            self._print("# No service is moved: the others would run another release.")
            return self._end(FAILED)
        if not commands:
            self._print(f"# {self._why_nothing()}: nothing to move.")
            return self._end(FAILED)
        for service, argv in commands.items():
            self._run(service, argv)
        return self._finish()

    def _command(self, service: str, move: Move) -> Argv | None:
        try:
            return move(self._serving(service))
        except Skipped as reason:
            self._print(f"# {service} is left alone: {reason}")
            self._already_released |= isinstance(reason, AlreadyReleased)
        except gcloud.NoService as error:
            self._print(f"# {service}: {error}")
            self._failed += self._pinned
        except (CannotMove, gcloud.GcloudFailed) as error:
            self._print(f"# {service}: {error}")
            self._failed += 1
        return None

    def _why_nothing(self) -> str:
        if self._already_released:
            return "Every new revision that is ready and may go on has all traffic already"
        return "No service has a new revision that is ready and was not rolled back"

    def _serving(self, service: str) -> Serving:
        return gcloud.serving(
            self._target, service, ask=self._ready, pinned=self._pinned, released=self._released
        )

    def _run(self, service: str, argv: Argv) -> None:
        self._print(shlex.join(argv))
        if not self._yes:
            return
        try:
            gcloud.run(argv)
        except gcloud.GcloudFailed as error:
            self._print(f"# {service}: {error}")
            self._failed += 1

    def _finish(self) -> int:
        if not self._ready:
            self._print("# NEWEST and LAST-GOOD are as `gcloud run services describe` shows them.")
        if not self._yes:
            self._print("# Nothing was changed. To do it: --yes")
        return self._end(FAILED if self._failed else OK)

    def _end(self, code: int) -> int:
        self._print.end()
        return code


class _Output:
    """Prints lines; a printing error does not stop the moves, and is raised after the last move."""

    def __init__(self) -> None:
        self._error: OSError | None = None

    def __call__(self, line: str) -> None:
        """Print a line, unless printing an earlier line failed."""
        if self._error is not None:
            return
        try:
            print(line, flush=True)
        except OSError as error:  # a closed pipe, a full disk
            self._error = error

    def end(self) -> None:
        """Raise the first printing error; called after the last move.

        Raises:
            OSError: a line was not printed; BrokenPipeError if the reader has closed the output.
        """
        if self._error is not None:
            raise self._error


def _not_signed_in() -> int:
    print("gcloud is not here, or nobody has signed in: gcloud auth login")
    return USAGE
