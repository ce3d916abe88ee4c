"""How a command that fails ends: one sentence and an exit code; and the consoles it speaks to."""

import os
import sys
from typing import Final, NamedTuple, NoReturn

from rich.console import Console

from infra.ops.connection import NeedsSetting
from infra.ops.desk import Desk, Unasked
from lumimd.domain.errors import REFUSALS, Refused, Transient
from lumimd.domain.operator_refusals import OperatorRefused

PROBLEMS: Final = 1
USAGE: Final = 2

ENDLESS: Final = 100_000
"""Columns of a file or a pipe, which have no edge."""


class Ending(NamedTuple):
    """The exit code, and the sentence for the operator."""

    code: int
    sentence: str


class QuietConsole(Console):
    """Leaves a closed pipe to `main`, which knows the exit code; rich's own would end with 1."""

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError


def console(*, stderr: bool) -> Console:
    """For results, or for everything else that is said (standard error).

    COLUMNS decides on the width where it is set, as in other programs.
    """
    stream = sys.stderr if stderr else sys.stdout
    has_edge = stream.isatty() or os.environ.get("COLUMNS", "").isdigit()
    return QuietConsole(
        stderr=stderr, highlight=False, soft_wrap=stderr, width=None if has_edge else ENDLESS
    )


def sentence_of(error: Exception, desk: Desk) -> Ending | None:
    """How `error` is told; None for a defect, which keeps its traceback."""
    match error:
        case NeedsSetting():
            return Ending(USAGE, str(error))
        case Unasked():
            return Ending(
                USAGE, "This changes something, and there is no terminal to ask at. Add --yes."
            )
        case Refused():
            after = error.retry_after_s
            wait = f" It can be asked again in {after:.0f} s." if after else ""
            return Ending(PROBLEMS, f"{REFUSALS[error.code]}{wait} ({error.code})")
        case OperatorRefused():
            return Ending(PROBLEMS, f"{error} ({error.code})")
        case Transient():
            line = desk.invocation.line("doctor")
            return Ending(PROBLEMS, f"The store of {desk.where} does not answer. Check it: {line}")
    return _of_the_cloud(error, desk.where)


def _of_the_cloud(error: Exception, where: str) -> Ending | None:
    from google.api_core.exceptions import Forbidden
    from google.auth.exceptions import GoogleAuthError

    if isinstance(error, GoogleAuthError):
        return Ending(USAGE, "You are not signed in: gcloud auth application-default login")
    if isinstance(error, Forbidden):
        return Ending(PROBLEMS, f"Your account may not do this in {where}.")
    return None
