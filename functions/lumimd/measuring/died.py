"""The error for a measuring process that ended without an answer."""

from lumimd.resilience.retry import Unanswered


class MeasuringDied(Unanswered):
    """A measuring process crashed; that counts like a worker whose lease expired (`deaths`)."""
