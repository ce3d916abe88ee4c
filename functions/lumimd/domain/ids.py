"""The valid ids of visits and users, which are safe in paths of Firestore and of the bucket."""

import re
from typing import Final

ID: Final = (
    r"^([A-Za-z0-9-][A-Za-z0-9_-]{0,127}|_([A-Za-z0-9-][A-Za-z0-9_-]{0,126})?"
    r"|__(_|[A-Za-z0-9_-]{0,125}[A-Za-z0-9-]|[A-Za-z0-9_-]{0,124}[A-Za-z0-9-]_)?)$"
)
"""An id that we or our clients make, for a visit, a batch, an action item or a job. It has 1 to 128
of these characters and does not match `__.*__`: Firestore reserves such ids and refuses requests
for them. The security rules and schemas repeat this expression. RE2 and pydantic's engine have no
look-ahead, so the expression lists the possible positions of underscores."""

USER_ID: Final = r"^[!-$&-.0-~]{1,128}$"
"""An id of Firebase Authentication, or of your own sign-in provider (`auth0|5f7c`,
`user@example.com`, `oidc:a.b`). It has visible ASCII characters, except the slash, which separates
parts of a path, and the percent sign, which some clients decode twice. The security rules and
schemas repeat this expression; `RESERVED` applies as well."""

RESERVED: Final = r"^([.][.]?|__.*__)$"
"""The ids that Firestore reserves."""


def is_id(text: str) -> bool:
    """Whether `text` is a valid id of a document."""
    return bool(re.fullmatch(ID, text))


def is_user_id(text: str) -> bool:
    """Whether `text` is a valid user id, usable in paths of documents and recordings."""
    return bool(re.fullmatch(USER_ID, text)) and not re.fullmatch(RESERVED, text)
