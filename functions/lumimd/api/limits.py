"""Rate limits of routes that cost money or change data.

A route names its limit in its signature. A token of the limit is taken only after the request was
found valid, so that a request that is refused with 422 uses none.

Reads are not counted, because counting a read would cost more than the read itself.
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
    """Return the tier of a user, read at each call so that a change applies at once."""
    return in_force(services, await services.owner_queries.profile(user_id))


def in_force(services: ApiServices, profile: Profile) -> Tier:
    """Return the tier that applies to the user."""
    return Tier.named(profile.tier, services.policy.default_tier)


@dataclass(frozen=True)
class Token:
    """The tokens of one call of a route: one from the user's bucket, one from all users' bucket."""

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
    """Wrap `endpoint` so that a call first takes the tokens among its arguments.

    FastAPI calls the wrapper after all arguments were validated; a dependency would run before the
    body was validated.
    """

    @wraps(endpoint)
    async def once_allowed(**arguments: Any) -> Any:
        for argument in arguments.values():
            if isinstance(argument, Token):
                await argument.take()
        return await endpoint(**arguments)

    return once_allowed


async def may_be_urgent(services: ApiServices, user: User) -> None:
    """Count an urgent visit against the user's limit; operators have no such limit.

    Raises:
        Problem: the user's tier has no urgent visits.
        TooMany: the user has reached the limit of the tier, but can create an ordinary visit.
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
"""The limit of calls that cause paid work, or delete all data of a user."""

OnDemand = Annotated[Token, Depends(_on_demand)]
"""The limit of exports and regenerations: as `Expensive`, and a limit for all users together."""

Write = Annotated[Token, Depends(_write)]
"""The limit of calls that change one or two documents."""
