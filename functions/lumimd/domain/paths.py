"""The names of Firestore collections and bucket folders.

Security rules and indexes use the same names.
"""

from typing import Final

VISITS: Final = "visits"
"""The collection of visits in Firestore, and the folder of recordings in the bucket."""

TRANSCRIPT: Final = "transcript"
HISTORY: Final = "history"
ACTIONS: Final = "actions"
DEAD_LETTERS: Final = "deadLetters"
DELETIONS: Final = "deletions"
HOLDS: Final = "holds"
USERS: Final = "users"
IDEMPOTENCY_KEYS: Final = "idempotencyKeys"

OPS: Final = "ops"
"""Documents of the pipeline itself, which clients neither read nor write."""

AUDIT: Final = f"{OPS}/audit/entries"
RATE_LIMITS: Final = f"{OPS}/limits/buckets"
TURN_COUNTERS: Final = f"{OPS}/turns/flows"
HOURLY_ORDERS: Final = f"{OPS}/orders/hours"
PERMITS: Final = f"{OPS}/slots/shards"


def user_folder(user_id: str) -> str:
    """Return the folder of a user's recordings, with a slash at the end."""
    return f"{VISITS}/{user_id}/"


def recordings_folder(user_id: str, visit_id: str) -> str:
    """Return the folder of a visit's recordings, with a slash at the end."""
    return f"{VISITS}/{user_id}/{visit_id}/"


def visit_path(visit_id: str) -> str:
    """Return the path of a visit's document."""
    return f"{VISITS}/{visit_id}"


def transcript_path(visit_id: str) -> str:
    """Return the path of the collection of a visit's transcript pages."""
    return f"{VISITS}/{visit_id}/{TRANSCRIPT}"


def history_path(visit_id: str) -> str:
    """Return the path of the collection of a visit's history entries."""
    return f"{VISITS}/{visit_id}/{HISTORY}"
