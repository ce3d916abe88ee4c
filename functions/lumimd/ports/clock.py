"""The port to the clock."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The clock, which is passed in so that a week can be simulated in seconds."""

    def now(self) -> datetime:
        """Return the present instant, in UTC."""
        ...
