"""The error for a measuring process that ended without an answer."""

from lumimd.resilience.retry import Unanswered


class MeasuringDied(Unanswered):
    """It died of the recording, or beside it: that counts like a holder that died of it."""
