"""The permissions of the security rules in storage.rules, in Python.

To compare both, tests/local/test_firebase_storage.py sends all requests to this stand-in that
tests/rules sends to the emulator.
"""

import re
from dataclasses import dataclass
from typing import Final

import jwt

from lumimd.domain.audio import MAX_BYTES
from lumimd.domain.client_access import RECORDING_EXTENSIONS, RECORDING_TYPES, TAKES_OF_A_CLIENT
from lumimd.domain.ids import ID, is_user_id

_SCHEMES: Final = ("firebase", "bearer")
_TAKES: Final = "|".join(map(str, range(2, TAKES_OF_A_CLIENT + 1)))
_FILE: Final = rf"audio([.]({_TAKES}))?[.]({'|'.join(RECORDING_EXTENSIONS)})"


@dataclass(frozen=True)
class Upload:
    """An object that a client wants to create."""

    path: str
    content_type: str
    size: int


def caller(authorization: str | None) -> str | None:
    """Return the id of the user to whom the token belongs, or None without a token.

    Like Firebase's emulators, the function does not check the signature, so that a client on a
    developer's machine may act as any user. Both the tokens of `scripts/sign-in` and the SDK's mock
    tokens are accepted.

    Raises:
        jwt.InvalidTokenError: the header does not contain a valid token.
    """
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() not in _SCHEMES:
        return None
    claims = jwt.decode(token, options={"verify_signature": False})
    user_id = claims.get("sub") or claims.get("user_id")
    return user_id if isinstance(user_id, str) else None


def may_read(user_id: str | None, path: str) -> bool:
    """Return whether the user may read the object: `isMine` of the rules, for owners only."""
    parts = path.split("/")
    return len(parts) == 4 and parts[0] == "visits" and user_id is not None and parts[1] == user_id


def may_create(user_id: str | None, upload: Upload, largest: int = MAX_BYTES) -> bool:
    """Return whether the user may create the object: `isMine() && isRecording()` of the rules.

    The bucket itself refuses an object that exists already.
    """
    if not may_read(user_id, upload.path):
        return False
    _, owner, visit_id, file = upload.path.split("/")
    return (
        is_user_id(owner)
        and re.fullmatch(ID, visit_id) is not None
        and re.fullmatch(_FILE, file) is not None
        and re.fullmatch(RECORDING_TYPES, upload.content_type) is not None
        and 0 < upload.size <= largest
    )
