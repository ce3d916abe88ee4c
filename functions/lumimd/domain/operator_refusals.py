"""Refusals of operator commands, beside the refusals of the commands on a visit."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class OperatorCode(StrEnum):
    """The closed list of these refusals."""

    NO_DEAD_LETTER = "no_dead_letter"
    ALREADY_DISCARDED = "already_discarded"
    CHANGED_MEANWHILE = "changed_meanwhile"
    NO_SUCH_QUEUE = "no_such_queue"
    NO_SUCH_SCHEDULE = "no_such_schedule"
    NO_SUCH_BREAKER = "no_such_breaker"
    NO_RECORDING = "no_recording"


SENTENCES: Final[Mapping[OperatorCode, str]] = {
    OperatorCode.NO_DEAD_LETTER: "This visit has no dead letter.",
    OperatorCode.ALREADY_DISCARDED: "This dead letter is discarded already.",
    OperatorCode.CHANGED_MEANWHILE: "This was changed at the same moment. Read it again.",
    OperatorCode.NO_SUCH_QUEUE: "No queue has this name.",
    OperatorCode.NO_SUCH_SCHEDULE: "No scheduled call has this name.",
    OperatorCode.NO_SUCH_BREAKER: "No breaker has this name.",
    OperatorCode.NO_RECORDING: "The visit has no recording that can be read.",
}
"""One plain sentence a code."""


class OperatorRefused(Exception):
    """Nothing was done; `code` is the reason."""

    def __init__(self, code: OperatorCode) -> None:
        super().__init__(SENTENCES[code])
        self.code = code
