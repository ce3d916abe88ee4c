"""How often a user may ask for what costs money or changes something.

Reads are not counted: counting one would cost more than the read itself.
"""

from typing import Annotated

from fastapi import Depends

from lumimd.api.identity import CurrentUser
from lumimd.api.parts import ApiParts, PartsOfApi
from lumimd.api.problems import Problem, ProblemCode
from lumimd.library import Profile
from lumimd.resilience.rate_limit_policies import Limited, Tier
from lumimd.tokens import User


async def tier_of(parts: ApiParts, user_id: str) -> Tier:
    """The tier of a user, read each time: a change counts from the next call."""
    return in_force(parts, await parts.library.profile(user_id))


def in_force(parts: ApiParts, profile: Profile) -> Tier:
    """The tier that counts for the user."""
    return Tier.named(profile.tier, parts.policy.default_tier)


async def _expensive(user: CurrentUser, parts: PartsOfApi) -> None:
    await _allow(parts, user, Limited.EXPENSIVE)


async def _write(user: CurrentUser, parts: PartsOfApi) -> None:
    await _allow(parts, user, Limited.WRITE)


async def may_be_urgent(parts: ApiParts, user: User) -> None:
    """Count an urgent visit; operators create them without a limit.

    Raises:
        Problem: the user's tier has no urgent visits.
        TooMany: the user has created as many as the tier has; an ordinary one can be created.
    """
    if user.is_admin:
        return
    tier = await tier_of(parts, user.user_id)
    if tier is Tier.FREE:
        raise Problem(ProblemCode.URGENT_NOT_INCLUDED)
    await parts.limits.allow(user.user_id, tier, Limited.URGENT)


async def _allow(parts: ApiParts, user: User, what: Limited) -> None:
    await parts.limits.allow(user.user_id, await tier_of(parts, user.user_id), what)


Expensive = Annotated[None, Depends(_expensive)]
"""The call causes work that is paid for, or reads everything."""

Write = Annotated[None, Depends(_write)]
"""The call changes a document or two."""
