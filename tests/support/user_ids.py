"""List user ids in the forms that sign-in providers issue."""

from typing import Final

USER_IDS: Final = (
    "auth0|5f7c8ec7c33c6c004bbafe82",
    "google-oauth2|103547991597142817347",
    "samlp|acme.com|jane+tag@example.com",
    "user@example.com",
    "a.b",
    "oidc:tenant#1?x=y&z=2",
    r"DOMAIN\user;v=1",
    "{0f8fad5b-d9cb}",
    "*[~]*",
    "x" * 128,
)
