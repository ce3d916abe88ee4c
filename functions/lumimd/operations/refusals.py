"""What is refused to an operator, beside what the commands on a visit refuse to anybody."""

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
    OperatorCode.NO_DEAD_LETTER: "There is no dead letter of this visit.",
    OperatorCode.ALREADY_DISCARDED: "This dead letter was discarded before.",
    OperatorCode.CHANGED_MEANWHILE: "Somebody else changed this at the same moment. Look again.",
    OperatorCode.NO_SUCH_QUEUE: "There is no queue of this name.",
    OperatorCode.NO_SUCH_SCHEDULE: "There is no scheduled call of this name.",
    OperatorCode.NO_SUCH_BREAKER: "There is no breaker of this name.",
    OperatorCode.NO_RECORDING: "There is no readable recording to begin with.",
}
"""One plain sentence a code."""


class OperatorRefused(Exception):
    """Nothing was done; `code` says why."""

    def __init__(self, code: OperatorCode) -> None:
        super().__init__(SENTENCES[code])
        self.code = code
