"""A clock that goes only when it is told to."""

from datetime import datetime, timedelta


class ManualClock:
    """Stands still at `start` (UTC) until it is moved."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        """The instant at which the clock stands."""
        return self._now

    def advance(self, by: timedelta) -> None:
        """Move on; clocks do not go back."""
        assert by >= timedelta(0)
        self._now += by
