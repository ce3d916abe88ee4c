"""Records how the program was called, so that advised commands can be typed as printed."""

import argparse
import os
import shlex
from dataclasses import dataclass
from typing import Final, Self

DEFAULT_REGION: Final = "us-central1"

REGION: Final = "GOOGLE_CLOUD_REGION"
"""The environment variable for the region."""

CALLED_AS: Final = "LUMIMD_OPS_CALLED_AS"
"""The environment variable for the path by which the operator called `scripts/ops`."""


def default_region() -> str:
    """Return the region to use if there is no `--region` option."""
    return os.environ.get(REGION) or DEFAULT_REGION


@dataclass(frozen=True)
class Invocation:
    """The program as it was called, and the options that name the stack or project."""

    program: str = "scripts/ops"
    options: tuple[str, ...] = ()

    @classmethod
    def of(cls, args: argparse.Namespace) -> Self:
        """Take the program and the options from a parsed command line."""
        options: list[str] = []
        if args.local:
            options.append("--local")
        if args.run:
            options += ["--run", args.run]
        if args.project:
            options += ["--project", args.project]
        if args.region != default_region():
            options += ["--region", args.region]
        return cls(os.environ.get(CALLED_AS) or cls.program, tuple(options))

    def line(self, *words: str) -> str:
        """Return the command line that runs `words` against the same stack or project."""
        return shlex.join([self.program, *self.options, *words])
