"""The message and the exit code for each error of a command."""

from typing import NamedTuple

from infra.ops.connection import NeedsSetting
from infra.ops.exits import FAILED, USAGE
from infra.ops.session import ConfirmationRequired, Session
from lumimd.domain.errors import OperatorRefused, Refused, Transient


class Failure(NamedTuple):
    """The exit code, and the message for the operator."""

    code: int
    message: str


def failure_of(error: Exception, session: Session) -> Failure | None:
    """The failure to report; None for a defect, which keeps its traceback."""
    match error:
        case NeedsSetting():
            return Failure(USAGE, str(error))
        case ConfirmationRequired():
            return Failure(
                USAGE, "This changes something, and there is no terminal to ask at. Add --yes."
            )
        case Refused():
            after = error.retry_after_s
            wait = f" It can be asked again in {after:.0f} s." if after else ""
            return Failure(FAILED, f"{error.code.sentence}{wait} ({error.code})")
        case OperatorRefused():
            return Failure(FAILED, f"{error} ({error.code})")
        case Transient():
            line = session.invocation.line("doctor")
            return Failure(
                FAILED, f"The store of {session.where} does not answer. Check it: {line}"
            )
    return _failure_of_cloud(error, session.where)


def _failure_of_cloud(error: Exception, where: str) -> Failure | None:
    from google.api_core.exceptions import Forbidden
    from google.auth.exceptions import GoogleAuthError

    if isinstance(error, GoogleAuthError):
        return Failure(USAGE, "You are not signed in: gcloud auth application-default login")
    if isinstance(error, Forbidden):
        return Failure(FAILED, f"Your account may not do this in {where}.")
    return None
