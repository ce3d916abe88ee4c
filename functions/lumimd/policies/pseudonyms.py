"""Pseudonyms of users, for records that must outlive the deletion of an account.

A user could reset a limit that ended with the account by deleting it. So limits store no user id
but its keyed hash (HMAC-SHA-256). A plain hash could be reversed by hashing every known user id,
and ids of your own sign-in provider may be e-mail addresses. A salt for each user would have to be
stored beside the user, and would be deleted with the user.
"""

import hmac
from hashlib import sha256
from typing import Final

_LABEL: Final = b"lumimd/pseudonym-of-a-user/1"
"""Separates this use of the secret from all other uses."""


class Pseudonyms:
    """The pseudonyms under one secret, which is not in the store that holds them.

    A new secret makes new pseudonyms; counts under the old ones expire.
    """

    def __init__(self, secret: str = "") -> None:
        self._key = hmac.digest(secret.encode(), _LABEL, sha256)

    def of(self, user_id: str) -> str:
        """The user's pseudonym: 128 bits in hexadecimal digits, the same each time."""
        return hmac.digest(self._key, user_id.encode(), sha256).hex()[:32]
