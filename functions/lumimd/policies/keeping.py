"""How long cached or stored answers stay valid."""

from datetime import timedelta
from typing import Final

BREAKER_KEPT_FOR: Final = timedelta(seconds=5)
"""How long an instance uses its last read of a breaker, and does not call a failed store again."""

COMPLAIN_EVERY: Final = timedelta(minutes=1)
"""The least time between two log lines which say that the store of a breaker fails."""

ANSWER_KEPT_FOR: Final = timedelta(hours=24)
"""How long the response to an idempotency key is stored, for phones that are offline and retry
later; then the TTL of the document removes the response."""

REQUEST_WORKED_ON_FOR: Final = timedelta(minutes=2)
"""How long a request may work on a response, longer than any request takes. After that time a retry
may take over."""

FLAGS_KEPT_FOR: Final = timedelta(seconds=15)
"""How long an instance uses its last read of the flags, and so the longest time until a change
reaches all instances."""

ASK_AGAIN_S: Final = 2.0
"""The Retry-After, in seconds, of a duplicate request while the first request is in progress."""
