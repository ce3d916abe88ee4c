"""What an operator grants to a user, and what the user prefers."""

from typing import Any

from lumimd.domain.document import Document


class Profile(Document):
    """`users/{uid}`: what an operator grants and what the user prefers.

    A user of whom no `tier` is stored has the deployment's default.
    """

    user_id: str
    tier: str | None = None
    preferences: dict[str, Any] | None = None
