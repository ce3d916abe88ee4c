"""Finds the local stacks of `scripts/dev` by the files in which stacks publish their addresses."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

ADDRESSES: Final = "addresses.json"

RUNS: Final = Path(__file__).parents[2] / ".run"
"""The folder with one subfolder for each stack that runs from this checkout."""


class NoStack(Exception):
    """There is no usable stack; the message says how to get a usable stack."""


@dataclass(frozen=True)
class Addresses:
    """The addresses of a running stack, for tools on the same machine.

    `env` is the environment of the stack's functions. With `in_memory` the visits are in the
    memory of the stack's process, which no other process can read.
    """

    run: str
    pid: int
    in_memory: bool
    env: dict[str, str]
    urls: dict[str, str]


@contextmanager
def published(addresses: Addresses, run_dir: Path) -> Iterator[None]:
    """Publish the addresses during the context, in a file that only this user may read."""
    path = run_dir / ADDRESSES
    path.touch(mode=0o600)
    path.write_text(json.dumps(asdict(addresses), indent=2))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def running(runs: Path) -> list[Addresses]:
    """Return the running stacks, newest first.

    The list omits stacks that were killed, and stacks of other users, because the addresses
    contain secrets and only the stack's user can read them.
    """
    found = [(_changed_at(file), _read(file)) for file in runs.glob(f"run-*/{ADDRESSES}")]
    readable = [(at, addresses) for at, addresses in found if addresses is not None]
    newest_first = sorted(readable, key=lambda each: each[0], reverse=True)
    return [addresses for _, addresses in newest_first if _is_alive(addresses.pid)]


def _changed_at(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:  # the stack has just ended
        return 0.0


def _read(file: Path) -> Addresses | None:
    try:
        return Addresses(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def choose(runs: Path, wanted: str | None) -> Addresses:
    """Choose the stack called `wanted`, or the only stack with readable visits.

    Raises:
        NoStack: no stack runs, several match, or other processes cannot read the stack's visits.
    """
    up = running(runs)
    found = [each for each in up if wanted in (None, each.run)]
    found = [each for each in found if not each.in_memory] or found[:1]
    chosen = _only(found, up, wanted, how_to_start=_how_to_start)
    if chosen.in_memory:
        raise NoStack(
            f"The stack {chosen.run} keeps its visits in its own memory, where no other process "
            f"can read them. {_how_to_start()}"
        )
    return chosen


def choose_any(runs: Path, wanted: str | None) -> Addresses:
    """Choose the stack called `wanted`, or the only stack, also if its visits are unreadable here.

    Raises:
        NoStack: no stack matches, or several do.
    """
    up = running(runs)
    found = [each for each in up if wanted in (None, each.run)]
    return _only(found, up, wanted, how_to_start=lambda: "Start one with: scripts/dev")


def _only(
    found: list[Addresses],
    up: list[Addresses],
    wanted: str | None,
    *,
    how_to_start: Callable[[], str],
) -> Addresses:
    if not up:
        unknown = "" if wanted is None else f"No local stack is called {wanted}. "
        raise NoStack(f"{unknown}No local stack runs. {how_to_start()}")
    if not found:
        raise NoStack(f"No local stack is called {wanted}. {_that_run(up)}")
    if len(found) > 1:
        names = ", ".join(each.run for each in found)
        raise NoStack(f"Several stacks run: {names}. Choose one with --run NAME.")
    return found[0]


def _that_run(up: list[Addresses]) -> str:
    names = ", ".join(each.run + (" (in its own memory)" if each.in_memory else "") for each in up)
    verb = "This one runs" if len(up) == 1 else "These run"
    return f"{verb}: {names}."


def _how_to_start() -> str:
    """Tell how to start a stack with readable visits, or which program is missing for that."""
    from infra.local.stack import can_emulate

    missing = can_emulate(os.environ)
    if missing is None:
        return "Start one with: scripts/dev --scripted --store emulator"
    return f"A stack that can be read needs Google's emulators: {missing}"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
