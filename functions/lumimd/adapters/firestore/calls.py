"""One call of Cloud Firestore, retried by the store's policy; its errors become ours."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from google.api_core import exceptions as api

from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Conflict
from lumimd.domain.errors import Transient
from lumimd.policies import retry

T = TypeVar("T")

_CONFLICTS: Final = (api.FailedPrecondition, api.AlreadyExists, api.NotFound)
_TRANSIENT: Final = (
    api.Aborted,
    api.ServerError,
    api.TooManyRequests,
    api.Cancelled,
    api.RetryError,
)


async def called(make: Callable[[], Awaitable[T]]) -> T:
    """One call by the store's retry policy, with the SDK's errors translated into ours.

    If the answer of an applied write is lost, Firestore refuses the retried write; the caller then
    reads again and finds its own write.
    """

    async def once() -> T:
        try:
            return await make()
        except _CONFLICTS as error:
            raise Conflict from error
        except _TRANSIENT as error:
            raise Transient(ErrorCode.INTERNAL_ERROR) from error

    return await retry.call(retry.STORE, ErrorCode.INTERNAL_ERROR, once)
