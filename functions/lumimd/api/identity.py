"""Authentication: verify the bearer token of a request once, and find its user."""

from typing import Annotated, Final

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from lumimd.api.problems import Problem
from lumimd.api.services import api_services
from lumimd.domain.codes import ProblemCode
from lumimd.ports.tokens import TokenFault, TokenRefused, User

_BEARER: Final = HTTPBearer(
    auto_error=False,
    scheme_name="firebase",
    bearerFormat="JWT",
    description="A Firebase ID token of this project.",
)

_PROBLEMS: Final = {
    TokenFault.INVALID: ProblemCode.UNAUTHENTICATED,
    TokenFault.EXPIRED: ProblemCode.TOKEN_EXPIRED,
    TokenFault.REVOKED: ProblemCode.TOKEN_REVOKED,
    TokenFault.DISABLED: ProblemCode.ACCOUNT_DISABLED,
    TokenFault.UNUSABLE_USER_ID: ProblemCode.UNUSABLE_USER_ID,
}


async def authenticate(request: Request) -> User:
    """Return the caller; a request's token is verified once and its user kept with the request.

    Raises:
        Problem: the token is missing or refused.
        Transient: the token cannot be verified at the moment.
    """
    known: User | None = getattr(request.state, "user", None)
    if known is not None:
        return known
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Problem(ProblemCode.UNAUTHENTICATED)
    try:
        user = await api_services(request).tokens.verify(token)
    except TokenRefused as refused:
        raise Problem(_PROBLEMS[refused.fault]) from refused
    request.state.user = user
    return user


async def current_user(
    request: Request,
    _documented: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
) -> User:
    """Return the caller; `_BEARER` only documents the authentication scheme in OpenAPI."""
    return await authenticate(request)


CurrentUser = Annotated[User, Depends(current_user)]
"""The signed-in user; a route responds 404, never 403, for documents of other users."""


async def admin_user(user: CurrentUser) -> User:
    """Return the caller if they are an operator."""
    if not user.is_admin:
        raise Problem(ProblemCode.FORBIDDEN)
    return user


AdminUser = Annotated[User, Depends(admin_user)]
"""An operator, with the custom claim `admin: true` that only the Firebase Admin SDK sets."""
