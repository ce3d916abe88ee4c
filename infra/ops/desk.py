"""Where a command works: who asks, with what, and how it speaks to that person."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from rich.console import Console, RenderableType

from infra.ops.invocation import Invocation
from infra.ops.listing import print_whole
from lumimd.operations.operator import Operator


class Unasked(Exception):
    """A change needs a yes, and there is nobody to ask."""


@dataclass(frozen=True)
class Desk:
    """`out` is for results alone, `told` (standard error) for everything else that is said."""

    operator: Operator
    where: str
    configuration: Sequence[str]
    invocation: Invocation
    as_json: bool
    yes: bool
    out: Console
    told: Console

    def show(self, data: object, *drawn: RenderableType) -> None:
        """The result: as JSON for machines, as it is drawn for people."""
        if self.as_json:
            json.dump(_plain(data), sys.stdout, ensure_ascii=False, indent=2)
            sys.stdout.write("\n")
            return
        print_whole(self.out, drawn)

    def say(self, sentence: str) -> None:
        """Something that a person should know, and a machine need not."""
        self.told.print(sentence, markup=False)

    def command(self, *words: str) -> str:
        """A command as it can be typed, against the same stack or project."""
        return self.invocation.line(*words)

    def confirm(self, question: str) -> bool:
        """Whether to go on with a change.

        Raises:
            Unasked: there is no terminal to ask at, and the command line has no --yes.
        """
        if self.yes:
            return True
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise Unasked
        from rich.prompt import Confirm

        agreed = Confirm.ask(f"{question} ({self.where})", console=self.told, default=False)
        if not agreed:
            self.say("Nothing was changed.")
        return agreed


def _plain(data: object) -> Any:
    if isinstance(data, BaseModel):
        return data.model_dump(mode="json", by_alias=True)
    if isinstance(data, Mapping):
        return {key: _plain(value) for key, value in data.items()}
    if isinstance(data, Sequence) and not isinstance(data, str):
        return [_plain(each) for each in data]
    return data
