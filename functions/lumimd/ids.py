"""Valid ids of visits and users: those that paths of Firestore and of the bucket can carry."""

import re
from typing import Final

ID: Final = r"^[A-Za-z0-9_-]{1,128}$"
"""An id that we, or our clients, make: of a visit, a batch, an action item, a job."""

USER_ID: Final = r"^[!-$&-.0-~]{1,128}$"
"""An id of Firebase Authentication, or of a sign-in provider of one's own (`auth0|5f7c`,
`user@example.com`, `oidc:a.b`): visible ASCII characters without the slash, which ends a part of
a path, and the percent sign, which some clients decode once too often. The rules and schemas repeat
this expression; `RESERVED` comes on top."""

RESERVED: Final = r"^([.][.]?|__.*__)$"
"""Ids that Firestore keeps for itself."""


def is_user_id(text: str) -> bool:
    """Whether a user with this id can have documents and recordings."""
    return bool(re.fullmatch(USER_ID, text)) and not re.fullmatch(RESERVED, text)
