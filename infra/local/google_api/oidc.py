"""The local identity token that Cloud Tasks and Cloud Scheduler put in `Authorization`.

Google signs such tokens with RS256. The local token has the right claims and the right form, but
its HS256 key is public, so it proves nothing.
"""

import hashlib
from datetime import datetime

import jwt

ISSUER = "https://accounts.google.com"
# Public on purpose: code that accepts this key must run only in the local stack.
LOCAL_KEY = "lumimd-local-stack-this-is-no-secret"
LIFETIME_S = 3600


def local_id_token(email: str, audience: str, now: datetime) -> str:
    """A JWT naming the service account `email`, for `audience`, valid for an hour from `now`."""
    issued_at = int(now.timestamp())
    claims = {
        "iss": ISSUER,
        "aud": audience,
        "azp": email,
        # Google derives a number from the account; here a stable number is derived from its name.
        "sub": str(int.from_bytes(hashlib.sha256(email.encode()).digest()[:8], "big")),
        "email": email,
        "email_verified": True,
        "iat": issued_at,
        "exp": issued_at + LIFETIME_S,
    }
    return jwt.encode(claims, LOCAL_KEY, algorithm="HS256", headers={"kid": "local"})
