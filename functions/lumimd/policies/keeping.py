"""How long an instance relies on a stored document."""

from datetime import timedelta
from typing import Final

BREAKER_KEPT_FOR: Final = timedelta(seconds=5)
"""How long an instance relies on its last read, and leaves a failed store alone."""

COMPLAIN_EVERY: Final = timedelta(minutes=1)
"""At most one log line in this time says that the breaker's store fails."""

ANSWER_KEPT_FOR: Final = timedelta(hours=24)
"""The time for which a phone may be offline and repeat itself; then the TTL removes the answer."""

REQUEST_WORKED_ON_FOR: Final = timedelta(minutes=2)
"""Longer than any request takes. After that time the holder is gone, and another may try."""

FLAGS_KEPT_FOR: Final = timedelta(seconds=15)
"""How long an instance uses its last read: the longest time until a change reaches all
instances."""

ASK_AGAIN_S: Final = 2.0
"""Retry-After of a request whose first copy is still at work."""
