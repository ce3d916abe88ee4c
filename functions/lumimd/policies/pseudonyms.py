"""Pseudonyms of users, for records that must outlive the deletion of an account.

A limit that ended with the account could be reset by deleting the account. So a limit stores a
keyed hash (HMAC-SHA-256) of the user id instead of the id. A plain hash could be reversed by
hashing every known user id, and ids of your own sign-in provider may be e-mail addresses. A salt
for each user would be stored beside the user and deleted with the user.
"""

import hmac
from hashlib import sha256
from typing import Final

_LABEL: Final = b"lumimd/pseudonym-of-a-user/1"
"""A label that separates this use of the secret from all other uses."""


class Pseudonyms:
    """Makes pseudonyms with a secret that is not in the store of the pseudonyms.

    A new secret makes new pseudonyms; counts under the old pseudonyms expire.
    """

    def __init__(self, secret: str = "") -> None:
        self._key = hmac.digest(secret.encode(), _LABEL, sha256)

    def of(self, user_id: str) -> str:
        """Return the user's pseudonym: 128 bits in hexadecimal digits, the same each time."""
        return hmac.digest(self._key, user_id.encode(), sha256).hex()[:32]
