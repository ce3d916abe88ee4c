"""Defines a guard of the pipeline, and how the simulator removes it."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from tests.simulation.faults import Dependency

Remove = Callable[[ExitStack], None]


@dataclass(frozen=True)
class Guard:
    """A removable guard, its purpose, and faults under which removing it breaks an invariant."""

    why: str
    remove: Remove
    level: str = "heavy"
    outages: tuple[tuple[Dependency, float], ...] = ()


def put(*replacements: tuple[Any, str, Any]) -> Remove:
    def remove(stack: ExitStack) -> None:
        for owner, name, value in replacements:
            stack.enter_context(patch.object(owner, name, value))

    return remove
