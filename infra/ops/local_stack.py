"""The stacks that `scripts/dev` keeps running here: where they say how to reach them."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

ADDRESSES: Final = "addresses.json"


class NoStack(Exception):
    """There is no stack to talk to; the message says what to do."""


@dataclass(frozen=True)
class Addresses:
    """What a tool of the same machine needs of a running stack.

    `env` is the environment of its functions. `in_memory`: its visits are in the memory of its
    process, which nobody else can read.
    """

    run: str
    pid: int
    in_memory: bool
    env: dict[str, str]
    urls: dict[str, str]


@contextmanager
def published(addresses: Addresses, run_dir: Path) -> Iterator[None]:
    """The addresses can be found as long as this runs; only their owner may read them."""
    path = run_dir / ADDRESSES
    path.touch(mode=0o600)
    path.write_text(json.dumps(asdict(addresses), indent=2))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def running(runs: Path) -> list[Addresses]:
    """The stacks that are up, the newest first; what a killed one left behind is passed over."""
    files = sorted(
        runs.glob(f"run-*/{ADDRESSES}"), key=lambda file: file.stat().st_mtime, reverse=True
    )
    found = [Addresses(**json.loads(file.read_text())) for file in files]
    return [addresses for addresses in found if _is_alive(addresses.pid)]


def choose(runs: Path, wanted: str | None) -> Addresses:
    """The stack called `wanted`, or the only one whose visits can be read.

    Raises:
        NoStack: none, several, or one whose visits cannot be read from outside.
    """
    found = [each for each in running(runs) if wanted in (None, each.run)]
    found = [each for each in found if not each.in_memory] or found[:1]
    if not found:
        raise NoStack("No local stack is running; start one with: scripts/dev --scripted")
    if len(found) > 1:
        names = ", ".join(each.run for each in found)
        raise NoStack(f"Several stacks are running ({names}); choose one with --run NAME")
    if found[0].in_memory:
        raise NoStack(
            "This stack keeps its visits in its own memory, where nobody else can read them; "
            "start it with the emulator: scripts/dev --store emulator"
        )
    return found[0]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
