"""Creates the identity token that Cloud Tasks and Cloud Scheduler put in `Authorization`.

Google signs identity tokens with RS256. The local token has the same claims and the same form, but
is signed with a public HS256 key, so it does not prove an identity.
"""

import hashlib
from datetime import datetime

import jwt

ISSUER = "https://accounts.google.com"
# The key is public on purpose. Code that accepts it must run only in the local stack.
LOCAL_KEY = "lumimd-local-stack-this-is-no-secret"
LIFETIME_S = 3600


def local_id_token(email: str, audience: str, now: datetime) -> str:
    """Create a JWT for the service account `email` and `audience`, valid for an hour from `now`."""
    issued_at = int(now.timestamp())
    claims = {
        "iss": ISSUER,
        "aud": audience,
        "azp": email,
        # Google has a number for each account; here a stable number is derived from the name.
        "sub": str(int.from_bytes(hashlib.sha256(email.encode()).digest()[:8], "big")),
        "email": email,
        "email_verified": True,
        "iat": issued_at,
        "exp": issued_at + LIFETIME_S,
    }
    return jwt.encode(claims, LOCAL_KEY, algorithm="HS256", headers={"kid": "local"})
