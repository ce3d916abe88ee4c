"""Verify ID tokens by Firebase: signature, audience, issuer, expiry, revocation, user."""

import asyncio
from typing import Any, Final

import firebase_admin  # type: ignore[import-untyped]
from firebase_admin import auth, exceptions

from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Transient
from lumimd.policies.vendor_timeouts import CLOCK_SKEW_S
from lumimd.ports.clock import Clock
from lumimd.ports.tokens import TokenFault, TokenRefused, User, user_of

_REFUSALS: Final = (
    (auth.ExpiredIdTokenError, TokenFault.EXPIRED),
    (auth.RevokedIdTokenError, TokenFault.REVOKED),
    (auth.UserDisabledError, TokenFault.DISABLED),
    (auth.InvalidIdTokenError, TokenFault.INVALID),
    # The user was deleted, so all their tokens count as revoked.
    (auth.UserNotFoundError, TokenFault.REVOKED),
)


class FirebaseTokens:
    """Asks Firebase about the user at every request, so that signing a user out works at once.

    The claims come from the token, so that a removed role lasts until the token expires, at most an
    hour, unless the user's tokens are revoked as well.
    """

    def __init__(self, app: firebase_admin.App, clock: Clock) -> None:
        self._app = app
        self._clock = clock

    async def verify(self, token: str) -> User:
        """Verify a token by Firebase, and return its user."""
        return user_of(await asyncio.to_thread(self._claims, token), self._clock)

    def _claims(self, token: str) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = auth.verify_id_token(
                token, app=self._app, check_revoked=True, clock_skew_seconds=CLOCK_SKEW_S
            )
            return claims
        except ValueError as error:
            raise TokenRefused(TokenFault.INVALID) from error
        except exceptions.FirebaseError as error:
            for refusal, fault in _REFUSALS:
                if isinstance(error, refusal):
                    raise TokenRefused(fault) from error
            # The certificates or the user could not be fetched, so the token may still be valid.
            raise Transient(ErrorCode.INTERNAL_ERROR) from error


def firebase_app(project: str) -> firebase_admin.App:
    """Return the app of this process for a project, made once."""
    name = f"lumimd-{project}"
    try:
        return firebase_admin.get_app(name)
    except ValueError:
        return firebase_admin.initialize_app(options={"projectId": project}, name=name)
