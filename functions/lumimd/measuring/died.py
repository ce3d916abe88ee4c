"""The process that measured a recording is gone, and nobody knows why."""

from lumimd.resilience.retry import Unanswered


class MeasuringDied(Unanswered):
    """It died of the recording, or beside it: that counts like a holder that died of it."""
