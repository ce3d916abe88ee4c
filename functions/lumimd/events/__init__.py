"""What has happened to a visit: past tense, one frozen value an event, a module a stage.

Each event knows which fields it sets (`changes`); which status follows, and whether the event is
still news, is the table's business (`visit.py`). `recorded` events appear in the history.
"""

from lumimd.events.event import (
    Changes,
    Event,
    holder_died,
)
from lumimd.events.owner import (
    ConsentGiven,
    ConsentGivenLate,
    SubmissionRetried,
    SummaryRegenerated,
    SummaryRetried,
    VisitCancelled,
    VisitDelayed,
    VisitEdited,
    VisitExpired,
    VisitPrioritized,
)
from lumimd.events.submission import (
    POLL_EVERY,
    AudioAccepted,
    AudioRejected,
    AudioRepeated,
    AudioReplaced,
    SubmissionClaimed,
    SubmissionDeferred,
    SubmissionHeld,
    SubmissionQueued,
    TranscriptionSubmitted,
)
from lumimd.events.summary import (
    ProvisionalSummaryStored,
    SummaryClaimed,
    SummaryDeferred,
    SummaryFailed,
    SummaryHeld,
    SummaryRequested,
    SummaryStored,
)
from lumimd.events.takes import (
    MEANT,
    ResultsKept,
    TakeAccepted,
    TakeAdded,
    TakeRefused,
    TakeTranscribed,
    TranscriptKept,
)
from lumimd.events.transcription import (
    REQUEST_GRACE,
    TranscriptionFailed,
    TranscriptionGivenUp,
    TranscriptionPolled,
    TranscriptionRestarted,
    TranscriptStored,
)

__all__ = [
    "MEANT",
    "POLL_EVERY",
    "REQUEST_GRACE",
    "AudioAccepted",
    "AudioRejected",
    "AudioRepeated",
    "AudioReplaced",
    "Changes",
    "ConsentGiven",
    "ConsentGivenLate",
    "Event",
    "ProvisionalSummaryStored",
    "ResultsKept",
    "SubmissionClaimed",
    "SubmissionDeferred",
    "SubmissionHeld",
    "SubmissionQueued",
    "SubmissionRetried",
    "SummaryClaimed",
    "SummaryDeferred",
    "SummaryFailed",
    "SummaryHeld",
    "SummaryRegenerated",
    "SummaryRequested",
    "SummaryRetried",
    "SummaryStored",
    "TakeAccepted",
    "TakeAdded",
    "TakeRefused",
    "TakeTranscribed",
    "TranscriptKept",
    "TranscriptStored",
    "TranscriptionFailed",
    "TranscriptionGivenUp",
    "TranscriptionPolled",
    "TranscriptionRestarted",
    "TranscriptionSubmitted",
    "VisitCancelled",
    "VisitDelayed",
    "VisitEdited",
    "VisitExpired",
    "VisitPrioritized",
    "holder_died",
]
