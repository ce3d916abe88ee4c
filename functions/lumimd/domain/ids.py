"""Valid ids of visits and users: those that paths of Firestore and of the bucket can carry."""

import re
from typing import Final

ID: Final = (
    r"^([A-Za-z0-9-][A-Za-z0-9_-]{0,127}|_([A-Za-z0-9-][A-Za-z0-9_-]{0,126})?"
    r"|__(_|[A-Za-z0-9_-]{0,125}[A-Za-z0-9-]|[A-Za-z0-9_-]{0,124}[A-Za-z0-9-]_)?)$"
)
"""An id of our own or of our clients: of a visit, a batch, an action item, a job. One to 128 of
these characters, and not `__.*__`, which Firestore reserves: it refuses every request for such a
document. The rules and schemas repeat this expression. RE2 and pydantic's engine have no
look-ahead, so the expression lists the possible positions of underscores."""

USER_ID: Final = r"^[!-$&-.0-~]{1,128}$"
"""An id of Firebase Authentication, or of your own sign-in provider (`auth0|5f7c`,
`user@example.com`, `oidc:a.b`): visible ASCII characters without the slash, which separates parts
of a path, and the percent sign, which some clients decode twice. The rules and schemas repeat this
expression; `RESERVED` applies as well."""

RESERVED: Final = r"^([.][.]?|__.*__)$"
"""Ids that Firestore reserves."""


def is_id(text: str) -> bool:
    """Whether a document can have this id."""
    return bool(re.fullmatch(ID, text))


def is_user_id(text: str) -> bool:
    """Whether a user with this id can have documents and recordings."""
    return bool(re.fullmatch(USER_ID, text)) and not re.fullmatch(RESERVED, text)
