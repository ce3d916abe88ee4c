"""What the routes work with, beyond the parts of the pipeline."""

from collections.abc import Callable
from typing import Annotated, Protocol

from fastapi import Depends, Request

from lumimd.coordination.rate_limits import Limits
from lumimd.operations.operator import OperatorParts
from lumimd.ports.idempotency_store import AnswerStore
from lumimd.ports.owner_queries import Library
from lumimd.ports.tokens import Tokens
from lumimd.ports.uploads import Uploads


class ApiParts(OperatorParts, Protocol):
    """The parts of the pipeline and of its operators, and those that only the API needs."""

    @property
    def tokens(self) -> Tokens: ...

    @property
    def library(self) -> Library: ...

    @property
    def answers(self) -> AnswerStore: ...

    @property
    def limits(self) -> Limits: ...

    @property
    def uploads(self) -> Uploads: ...


def api_parts(request: Request) -> ApiParts:
    """The parts of the process that serves this request."""
    provider: Callable[[], ApiParts] = request.app.state.parts
    return provider()


PartsOfApi = Annotated[ApiParts, Depends(api_parts)]
