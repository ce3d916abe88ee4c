"""Rate limits: token buckets in the store, shared by all instances.

While the store is down, counted calls are refused with `Transient` (503): their results would have
to be saved in the same store, and a limit that lets calls pass in a failure does not limit the
cost. Reads are not counted, so they are never refused because the store is down.

A bucket is stored under the user's pseudonym and expires when it is full again. It outlives the
deletion of the account, because a user could otherwise reset the limits by deleting the account.
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
from lumimd.stores.shared_documents import SharedDocuments

SHOWN: Final = (Limited.EXPENSIVE, Limited.VISITS)
"""The limits that `GET /me/usage` shows, so that users can plan with them."""


class TooMany(Exception):
    """The caller has used up a limit for now, which gives the error response 429.

    `retry_after_s` is the number of seconds until the next token, or 1 if contention hides that
    time.
    """

    def __init__(self, what: Limited | OfAllUsers, retry_after_s: float) -> None:
        super().__init__(what.value)
        self.what = what
        self.retry_after_s = retry_after_s


class Limits:
    """The rate limits of all users, as one instance applies them."""

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
        """Count one call against a limit of the user, and against a limit of all users (`of_all`).

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
        """Return the user's used and remaining tokens, and the time when each limit is full again.

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
            # The limit of all users refused the call, so the user gets the token back.
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
