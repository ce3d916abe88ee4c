"""The stored settings of a user."""

from typing import Any

from lumimd.domain.document import Document


class Profile(Document):
    """`users/{uid}`: the tier that an operator grants, and the preferences of the user.

    Without a stored `tier`, the default of the deployment applies.
    """

    user_id: str
    tier: str | None = None
    preferences: dict[str, Any] | None = None
