"""Who is calling: what an ID token says, once somebody has verified it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol

from lumimd.domain.client_access import ADMIN_CLAIM
from lumimd.domain.ids import is_user_id
from lumimd.ports.clock import Clock

SKEW_S: Final = 10
"""What the clocks of two machines may differ by."""


@dataclass(frozen=True)
class User:
    """A caller whose token was verified. `is_admin` is the custom claim `admin: true`."""

    user_id: str
    is_admin: bool = False


class TokenFault(StrEnum):
    """Why a token is refused."""

    INVALID = "invalid"
    EXPIRED = "expired"
    REVOKED = "revoked"
    DISABLED = "disabled"
    UNUSABLE_USER_ID = "unusable_user_id"


class TokenRefused(Exception):
    """The token is not to be believed. It is never part of the message."""

    def __init__(self, fault: TokenFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


class Tokens(Protocol):
    """Whoever can tell a good token from a bad one."""

    async def verify(self, token: str) -> User:
        """The user whom the token was issued to, for this project and not too long ago.

        Raises:
            TokenRefused: forged, for another audience, expired, revoked, or its user is disabled.
            Transient: nobody can tell at the moment.
        """
        ...


def user_of(claims: Mapping[str, Any], clock: Clock) -> User:
    """The user whom verified claims are about.

    An emulator's tokens carry no signature, and the SDK does not look at when they expire; so it is
    looked at here once more.

    Raises:
        TokenRefused: the token has expired, or its user has an id that no path may have.
    """
    expires_at, user_id = claims.get("exp"), claims.get("sub")
    if not isinstance(expires_at, int | float) or not isinstance(user_id, str):
        raise TokenRefused(TokenFault.INVALID)
    if expires_at + SKEW_S < clock.now().timestamp():
        raise TokenRefused(TokenFault.EXPIRED)
    if not is_user_id(user_id):
        raise TokenRefused(TokenFault.UNUSABLE_USER_ID)
    return User(user_id, is_admin=claims.get(ADMIN_CLAIM) is True)
