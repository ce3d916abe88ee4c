"""Rate limits of routes that cost money or change something.

A route names its limit in its signature. The token is taken after the request is known to be valid:
a request that is refused with 422 uses none.

Reads are not counted: counting one would cost more than the read itself.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any

from fastapi import Depends

from lumimd.api.identity import CurrentUser
from lumimd.api.problems import Problem
from lumimd.api.services import ApiServices, RequestServices
from lumimd.domain.codes import ProblemCode
from lumimd.domain.profile import Profile
from lumimd.policies.tiers import Limited, OfAllUsers, Tier
from lumimd.ports.tokens import User


async def tier_of(services: ApiServices, user_id: str) -> Tier:
    """The tier of a user, read at each call: a change applies from the next call."""
    return in_force(services, await services.owner_queries.profile(user_id))


def in_force(services: ApiServices, profile: Profile) -> Tier:
    """The tier that applies to the user."""
    return Tier.named(profile.tier, services.policy.default_tier)


@dataclass(frozen=True)
class Token:
    """The tokens of one call of a route: from the user's bucket, and from that of all users."""

    services: ApiServices
    user: User
    what: Limited
    of_all: OfAllUsers | None = None

    async def take(self) -> None:
        """Take the tokens.

        Raises:
            TooMany: a bucket is empty.
            Transient: the store is not available.
        """
        tier = await tier_of(self.services, self.user.user_id)
        await self.services.limits.allow(self.user.user_id, tier, self.what, self.of_all)


def limited(endpoint: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """`endpoint`, preceded by taking the tokens among its arguments.

    FastAPI calls it after all arguments are valid; a dependency would run before the body is.
    """

    @wraps(endpoint)
    async def once_allowed(**arguments: Any) -> Any:
        for argument in arguments.values():
            if isinstance(argument, Token):
                await argument.take()
        return await endpoint(**arguments)

    return once_allowed


async def may_be_urgent(services: ApiServices, user: User) -> None:
    """Count an urgent visit; operators create them without a limit.

    Raises:
        Problem: the user's tier has no urgent visits.
        TooMany: the user has reached the limit of the tier, and can create an ordinary visit.
    """
    if user.is_admin:
        return
    tier = await tier_of(services, user.user_id)
    if tier is Tier.FREE:
        raise Problem(ProblemCode.URGENT_NOT_INCLUDED)
    await services.limits.allow(user.user_id, tier, Limited.URGENT)


async def _expensive(user: CurrentUser, services: RequestServices) -> Token:
    return Token(services, user, Limited.EXPENSIVE)


async def _on_demand(user: CurrentUser, services: RequestServices) -> Token:
    return Token(services, user, Limited.EXPENSIVE, OfAllUsers.ON_DEMAND)


async def _write(user: CurrentUser, services: RequestServices) -> Token:
    return Token(services, user, Limited.WRITE)


Expensive = Annotated[Token, Depends(_expensive)]
"""The call causes paid work, or deletes everything."""

OnDemand = Annotated[Token, Depends(_on_demand)]
"""An export or a regeneration: counted as expensive, and in the limit of all users together."""

Write = Annotated[Token, Depends(_write)]
"""The call changes one or two documents."""
