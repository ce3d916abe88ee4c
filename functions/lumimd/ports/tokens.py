"""The port that verifies ID tokens, and the identity of a caller."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from lumimd.domain.client_access import ADMIN_CLAIM
from lumimd.domain.ids import is_user_id
from lumimd.policies.vendor_timeouts import CLOCK_SKEW_S
from lumimd.ports.clock import Clock


@dataclass(frozen=True)
class User:
    """A caller with a verified token. `is_admin` is the custom claim `admin: true`."""

    user_id: str
    is_admin: bool = False


class TokenFault(StrEnum):
    """The reason why a token is refused."""

    INVALID = "invalid"
    EXPIRED = "expired"
    REVOKED = "revoked"
    DISABLED = "disabled"
    UNUSABLE_USER_ID = "unusable_user_id"


class TokenRefused(Exception):
    """The token is invalid. The message never contains the token."""

    def __init__(self, fault: TokenFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


class Tokens(Protocol):
    """The verifier of ID tokens."""

    async def verify(self, token: str) -> User:
        """Return the user of a token that was issued for this project and has not expired.

        Raises:
            TokenRefused: the token is forged, expired, revoked, or for another project, or its user
            is disabled.
            Transient: the token cannot be verified at the moment.
        """
        ...


def user_of(claims: Mapping[str, Any], clock: Clock) -> User:
    """Return the user of verified claims.

    This function checks the expiry of the token again, because the SDK does not check the expiry of
    an emulator's tokens, which have no signature.

    Raises:
        TokenRefused: the token has expired, or the user id is not valid in a path.
    """
    expires_at, user_id = claims.get("exp"), claims.get("sub")
    if not isinstance(expires_at, int | float) or not isinstance(user_id, str):
        raise TokenRefused(TokenFault.INVALID)
    if expires_at + CLOCK_SKEW_S < clock.now().timestamp():
        raise TokenRefused(TokenFault.EXPIRED)
    if not is_user_id(user_id):
        raise TokenRefused(TokenFault.UNUSABLE_USER_ID)
    return User(user_id, is_admin=claims.get(ADMIN_CLAIM) is True)
