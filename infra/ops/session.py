"""The context in which a command runs: operator, services, options, consoles and failures."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from rich.console import Console, RenderableType

from infra.ops.connection import NeedsSetting
from infra.ops.exits import FAILED, USAGE
from infra.ops.invocation import Invocation
from infra.ops.listing import print_whole
from lumimd.domain.errors import OperatorRefused, Refused, Transient
from lumimd.operations.operator import Operator


class ConfirmationRequired(Exception):
    """A change needs a confirmation, and there is no terminal to ask at."""


class Declined(Exception):
    """The operator did not confirm the change."""


@dataclass(frozen=True)
class Session:
    """The context of one command. Only results go to `out`; all messages go to `err` (stderr)."""

    operator: Operator
    where: str
    configuration: Sequence[str]
    invocation: Invocation
    as_json: bool
    yes: bool
    out: Console
    err: Console

    def show(self, data: object, *renderables: RenderableType) -> None:
        """Print the result: `data` as JSON for programs, or `renderables` for people."""
        if self.as_json:
            json.dump(_plain(data), sys.stdout, ensure_ascii=False, indent=2)
            sys.stdout.write("\n")
            return
        print_whole(self.out, renderables)

    def notify(self, message: str) -> None:
        """Print a message for a person to standard error."""
        self.err.print(message, markup=False)

    def command(self, *words: str) -> str:
        """Return the command line that runs `words` against the same stack or project."""
        return self.invocation.line(*words)

    def confirm(self, question: str) -> None:
        """Ask for confirmation of a change.

        Raises:
            ConfirmationRequired: no terminal can ask, and the command line has no --yes.
            Declined: the answer was no.
        """
        if self.yes:
            return
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise ConfirmationRequired
        from rich.prompt import Confirm

        if not Confirm.ask(f"{question} ({self.where})", console=self.err, default=False):
            raise Declined


def _plain(data: object) -> Any:
    if isinstance(data, BaseModel):
        return data.model_dump(mode="json", by_alias=True)
    if isinstance(data, Mapping):
        return {key: _plain(value) for key, value in data.items()}
    if isinstance(data, Sequence) and not isinstance(data, str):
        return [_plain(each) for each in data]
    return data


def failure_of(error: Exception, session: Session) -> tuple[int, str] | None:
    """Return the exit code and the message of an expected failure.

    The result is None for a bug, so that its traceback is printed.
    """
    match error:
        case NeedsSetting():
            return USAGE, str(error)
        case ConfirmationRequired():
            return USAGE, "This changes something, and there is no terminal to ask at. Add --yes."
        case Declined():
            return FAILED, "Nothing was changed."
        case Refused():
            after = error.retry_after_s
            wait = f" It can be asked again in {after:.0f} s." if after else ""
            return FAILED, f"{error.code.sentence}{wait} ({error.code})"
        case OperatorRefused():
            return FAILED, f"{error} ({error.code})"
        case Transient():
            line = session.invocation.line("doctor")
            return FAILED, f"The store of {session.where} does not answer. Check it: {line}"
    return _failure_of_cloud(error, session.where)


def _failure_of_cloud(error: Exception, where: str) -> tuple[int, str] | None:
    from google.api_core.exceptions import Forbidden
    from google.auth.exceptions import GoogleAuthError

    if isinstance(error, GoogleAuthError):
        return USAGE, "You are not signed in: gcloud auth application-default login"
    if isinstance(error, Forbidden):
        return FAILED, f"Your account may not do this in {where}."
    return None
