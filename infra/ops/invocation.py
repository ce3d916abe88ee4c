"""How this command was called, so that each command that it advises can be typed as printed."""

import argparse
import os
import shlex
from dataclasses import dataclass
from typing import Final, Self

DEFAULT_REGION: Final = "us-central1"

REGION: Final = "GOOGLE_CLOUD_REGION"
"""The variable that names the region, as GOOGLE_CLOUD_PROJECT names the project."""

CALLED_AS: Final = "LUMIMD_OPS_CALLED_AS"
"""How `scripts/ops` was called, from the folder in which the operator is."""


def default_region() -> str:
    """The region that is meant where no option names one."""
    return os.environ.get(REGION) or DEFAULT_REGION


@dataclass(frozen=True)
class Invocation:
    """The program as it was called, and the options that say where it works."""

    program: str = "scripts/ops"
    options: tuple[str, ...] = ()

    @classmethod
    def of(cls, wanted: argparse.Namespace) -> Self:
        """The program and the options of a parsed command line."""
        options: list[str] = []
        if wanted.local:
            options.append("--local")
        if wanted.run:
            options += ["--run", wanted.run]
        if wanted.project:
            options += ["--project", wanted.project]
        if wanted.region != default_region():
            options += ["--region", wanted.region]
        return cls(os.environ.get(CALLED_AS) or cls.program, tuple(options))

    def line(self, *words: str) -> str:
        """The command of `words` against the same stack or project."""
        return shlex.join([self.program, *self.options, *words])
