"""Pseudonyms of users, for what must outlive the deletion of an account.

A limit that ended with the account would be given back by deleting it. So limits hold no user id
but its keyed hash (HMAC-SHA-256). A plain hash could be undone by hashing every known user id, and
ids of a sign-in provider of one's own may be e-mail addresses; a salt of each user's own would have
to be stored beside the user, and would go with the user.
"""

import hmac
from hashlib import sha256
from typing import Final

_LABEL: Final = b"lumimd/pseudonym-of-a-user/1"
"""Separates this use of the secret from every other one."""


class Pseudonyms:
    """The pseudonyms under one secret, which is not in the store that holds them.

    A new secret makes new pseudonyms: what was counted under the old ones expires.
    """

    def __init__(self, secret: str = "") -> None:
        self._key = hmac.digest(secret.encode(), _LABEL, sha256)

    def of(self, user_id: str) -> str:
        """The user's pseudonym: 128 bits in hexadecimal digits, the same each time."""
        return hmac.digest(self._key, user_id.encode(), sha256).hex()[:32]
