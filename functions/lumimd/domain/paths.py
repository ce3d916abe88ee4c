"""Names of collections and folders, in one place.

Firestore documents, folders of the bucket, security rules and indexes have these names.
"""

from typing import Final

VISITS: Final = "visits"
"""Visits in Firestore, and the folder of the recordings in the bucket."""

TRANSCRIPT: Final = "transcript"
HISTORY: Final = "history"
ACTIONS: Final = "actions"
DEAD_LETTERS: Final = "deadLetters"
DELETIONS: Final = "deletions"
HOLDS: Final = "holds"
USERS: Final = "users"
IDEMPOTENCY_KEYS: Final = "idempotencyKeys"

OPS: Final = "ops"
"""Documents of the pipeline itself; clients neither read nor write them."""

AUDIT: Final = f"{OPS}/audit/entries"
RATE_LIMITS: Final = f"{OPS}/limits/buckets"
TURN_COUNTERS: Final = f"{OPS}/turns/flows"
HOURLY_ORDERS: Final = f"{OPS}/orders/hours"
PERMITS: Final = f"{OPS}/slots/shards"


def user_folder(user_id: str) -> str:
    """The folder of the recordings of a user."""
    return f"{VISITS}/{user_id}/"


def recordings_folder(user_id: str, visit_id: str) -> str:
    """The folder of the recordings of a visit."""
    return f"{VISITS}/{user_id}/{visit_id}/"


def visit_path(visit_id: str) -> str:
    """The document of a visit."""
    return f"{VISITS}/{visit_id}"


def transcript_path(visit_id: str) -> str:
    """The pages of a transcript."""
    return f"{VISITS}/{visit_id}/{TRANSCRIPT}"


def history_path(visit_id: str) -> str:
    """The entries of a timeline."""
    return f"{VISITS}/{visit_id}/{HISTORY}"
