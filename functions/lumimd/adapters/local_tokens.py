"""ID tokens of the local stack and of tests: like Firebase's, but signed with a shared secret.

They are never used in the cloud, where `runtime/settings.py` refuses the secret.
"""

import asyncio
from datetime import timedelta
from typing import Any, Final

import jwt

from lumimd.domain.client_access import ADMIN_CLAIM
from lumimd.ports.clock import Clock
from lumimd.ports.tokens import TokenFault, TokenRefused, User, user_of

_ISSUER: Final = "https://securetoken.google.com/"
_ALGORITHM: Final = "HS256"


class LocalTokens:
    """Issues and verifies tokens, and revokes and disables users as the Firebase console does."""

    def __init__(self, secret: str, project: str, clock: Clock) -> None:
        self._secret = secret
        self._project = project
        self._clock = clock
        self._valid_after: dict[str, int] = {}
        self._disabled: set[str] = set()

    def issue(
        self,
        user_id: str,
        *,
        admin: bool = False,
        audience: str | None = None,
        valid_for: timedelta = timedelta(hours=1),
        age: timedelta = timedelta(),
    ) -> str:
        """Return a token for a user, issued `age` ago; `audience` names another project."""
        now = int((self._clock.now() - age).timestamp())
        project = audience or self._project
        claims: dict[str, Any] = {
            "iss": _ISSUER + project,
            "aud": project,
            "sub": user_id,
            "iat": now,
            "exp": now + int(valid_for.total_seconds()),
        }
        if admin:
            claims[ADMIN_CLAIM] = True
        return jwt.encode(claims, self._secret, algorithm=_ALGORITHM)

    def revoke(self, user_id: str) -> None:
        """Refuse every token issued to the user before now."""
        self._valid_after[user_id] = int(self._clock.now().timestamp())

    def disable(self, user_id: str) -> None:
        """Refuse every token of the user."""
        self._disabled.add(user_id)

    async def verify(self, token: str) -> User:
        """Return the user of a valid token."""
        await asyncio.sleep(0)  # like the real network call, yields to other tasks
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[_ALGORITHM],
                audience=self._project,
                issuer=_ISSUER + self._project,
                # The times are checked below, by the injected clock.
                options={"verify_exp": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError as error:
            raise TokenRefused(TokenFault.INVALID) from error
        user = user_of(claims, self._clock)
        if user.user_id in self._disabled:
            raise TokenRefused(TokenFault.DISABLED)
        if claims.get("iat", 0) < self._valid_after.get(user.user_id, 0):
            raise TokenRefused(TokenFault.REVOKED)
        return user
