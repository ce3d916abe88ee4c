"""The services of the API routes."""

from collections.abc import Callable
from typing import Annotated, Protocol

from fastapi import Depends, Request

from lumimd.coordination.rate_limits import Limits
from lumimd.operations.operator import OperatorServices
from lumimd.ports.tokens import Tokens
from lumimd.ports.uploads import Uploads
from lumimd.stores.idempotency_store import IdempotencyStore
from lumimd.stores.owner_queries import OwnerQueries


class ApiServices(OperatorServices, Protocol):
    """The services of the pipeline and of operators, and services that only the API needs."""

    @property
    def tokens(self) -> Tokens: ...

    @property
    def owner_queries(self) -> OwnerQueries: ...

    @property
    def idempotency(self) -> IdempotencyStore: ...

    @property
    def limits(self) -> Limits: ...

    @property
    def uploads(self) -> Uploads: ...


def api_services(request: Request) -> ApiServices:
    """Return the services of the process that serves this request."""
    provider: Callable[[], ApiServices] = request.app.state.services
    return provider()


RequestServices = Annotated[ApiServices, Depends(api_services)]
