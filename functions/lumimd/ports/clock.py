"""The time of day, as a role."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The time of day; passed in, so that a week can be simulated in seconds."""

    def now(self) -> datetime:
        """The present instant, in UTC."""
        ...
