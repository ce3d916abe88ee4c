"""Rate limits: token buckets in the store, shared by all instances.

While the store is down, counted calls are refused with `Transient` (503): they would have to be
saved in the same store, and a limit that fails open protects no one from the bill. Reads are not
counted, so they are never refused because the store is down.

A bucket is stored under the user's pseudonym and expires when it is full again. It outlives the
deletion of the account, which would otherwise restore everything.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from lumimd.coordination.shared_document import Contended, Shared
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import TimedOut
from lumimd.policies.pseudonyms import Pseudonyms
from lumimd.policies.tiers import OF_ALL_USERS, POLICIES, Limited, OfAllUsers, Tier
from lumimd.policies.time_budgets import RATE_LIMIT_STORE_S
from lumimd.policies.token_bucket import Bucket, Policy, Taken, Usage, full, give_back, take, usage
from lumimd.ports.clock import Clock
from lumimd.ports.shared_documents import SharedDocuments

SHOWN: Final = (Limited.EXPENSIVE, Limited.VISITS)
"""The limits in `GET /me/usage`: those that a person plans with."""


class TooMany(Exception):
    """The caller has used up the limit for now; answer 429.

    `retry_after_s`: seconds until the next token; one second if contention hides that time.
    """

    def __init__(self, what: Limited | OfAllUsers, retry_after_s: float) -> None:
        super().__init__(what.value)
        self.what = what
        self.retry_after_s = retry_after_s


class Limits:
    """The buckets of all users, as one instance uses them."""

    def __init__(
        self,
        buckets: SharedDocuments[Bucket],
        clock: Clock,
        new_id: Callable[[], str],
        policies: Mapping[Limited, Mapping[Tier, Policy]] = POLICIES,
        of_all_users: Mapping[OfAllUsers, Policy] = OF_ALL_USERS,
        pseudonyms: Pseudonyms | None = None,
    ) -> None:
        self._buckets = Shared(buckets)
        self._clock = clock
        self._new_id = new_id
        self._policies = policies
        self._of_all_users = of_all_users
        self._pseudonyms = pseudonyms or Pseudonyms()

    async def allow(
        self, user_id: str, tier: Tier, what: Limited, of_all: OfAllUsers | None = None
    ) -> None:
        """Count one call of the user, and against the limit of all users if `of_all` names one.

        Raises:
            TooMany: the user, or all users together, reached the limit.
            Transient: the store is not available.
        """
        try:
            async with asyncio.timeout(RATE_LIMIT_STORE_S):
                await self._allow(user_id, tier, what, of_all)
        except TimeoutError as error:
            raise TimedOut(ErrorCode.INTERNAL_ERROR) from error
        except Contended as error:
            raise TooMany(what, error.retry_after_s or 1.0) from error

    async def usage(self, user_id: str, tier: Tier) -> Mapping[Limited, Usage]:
        """Used and remaining tokens of the user, and when each limit is restored in full.

        Raises:
            Transient: the store is not available.
        """
        now = self._clock.now()
        found: dict[Limited, Usage] = {}
        for what in SHOWN:
            kept = await self._buckets.documents.get(self._key(user_id, what))
            found[what] = usage(kept[0] if kept else full(now), self._policies[what][tier], now)
        return found

    async def _allow(
        self, user_id: str, tier: Tier, what: Limited, of_all: OfAllUsers | None
    ) -> None:
        key, policy = self._key(user_id, what), self._policies[what][tier]
        await self._take(key, policy, what)
        shared = self._of_all_users.get(of_all) if of_all else None
        if of_all is None or shared is None:
            return
        try:
            await self._take(of_all.value, shared, of_all)
        except (TooMany, Contended):
            # The call is refused for a reason that is not the user's: return the token.
            now = self._clock.now()
            await self._buckets.change(
                key, lambda bucket: (bucket and give_back(bucket, policy, now), None)
            )
            raise

    async def _take(self, key: str, policy: Policy, what: Limited | OfAllUsers) -> None:
        now, taker = self._clock.now(), self._new_id()

        def change(bucket: Bucket | None) -> tuple[Bucket, Taken]:
            taken = take(bucket or full(now), policy, now, taker)
            return taken.bucket, taken

        taken = await self._buckets.change(key, change)
        if not taken.allowed:
            raise TooMany(what, taken.retry_after_s)

    def _key(self, user_id: str, what: Limited) -> str:
        return f"{what}-{self._pseudonyms.of(user_id)}"
