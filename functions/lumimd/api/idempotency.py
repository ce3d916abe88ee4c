"""Idempotency-Key: a request that is repeated under the same key is done once.

| stored under the key | this request | response |
|---|---|---|
| nothing | | done, and a success is kept for a day |
| a success, the same request | | the kept response, with `Idempotency-Replayed: true` |
| a success, another request | | 422 `idempotency_key_reused` |
| a request in progress | | 409 `request_in_progress`: ask again |

A refusal is not kept, because it changed nothing: a repeated request is decided anew. Handlers
derive new ids from the key (`new_id`), so that a request whose response was lost before it was
stored creates nothing twice.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from hashlib import sha256
from typing import Annotated, Final

from fastapi import Header, Request, Response

from lumimd.api.problems import Fault, Problem
from lumimd.api.services import ApiServices, api_services
from lumimd.domain.codes import ProblemCode
from lumimd.domain.commit import Conflict
from lumimd.domain.errors import Transient
from lumimd.policies.keeping import ANSWER_KEPT_FOR, ASK_AGAIN_S, REQUEST_WORKED_ON_FOR
from lumimd.stores.idempotency_store import Answer, key_of
from lumimd.telemetry import logs

KEY_HEADER: Final = "Idempotency-Key"
REPLAYED_HEADER: Final = "Idempotency-Replayed"
_MIN, _MAX = 8, 128

Handler = Callable[[Request], Awaitable[Response]]


async def key_header(
    _key: Annotated[
        str | None,
        Header(
            alias=KEY_HEADER,
            min_length=_MIN,
            max_length=_MAX,
            pattern=r"^[\x21-\x7e]+$",
            description="Repeat a request under the same key, and it is done once.",
        ),
    ] = None,
) -> None:
    """Describe the header in the OpenAPI document."""


def new_id(request: Request) -> str:
    """Return the id of the document that the request creates.

    The id is always the same for the same user, key and path.
    """
    key = request.headers.get(KEY_HEADER)
    if key is None:
        return api_services(request).new_id()
    made_of = f"{request.state.user.user_id}/{key}/{request.url.path}"
    return sha256(made_of.encode()).hexdigest()[:32]


def _check(key: str) -> None:
    if not (_MIN <= len(key) <= _MAX and key.isascii() and key.isprintable() and " " not in key):
        fault = Fault(where=f"header.{KEY_HEADER}", rule="string_pattern_mismatch")
        raise Problem(ProblemCode.INVALID_REQUEST, faults=(fault,))


async def once(
    services: ApiServices, user_id: str, key: str, request: Request, handler: Handler
) -> Response:
    """Return the kept response to a user's `request`, or the response that `handler` makes.

    Raises:
        Problem: a problem in the table of this module, or a problem of the handler.
    """
    _check(key)
    now = services.clock.now()
    mine = Answer(
        key=key_of(user_id, key),
        user_id=user_id,
        fingerprint=await _fingerprint(request),
        until=now + REQUEST_WORKED_ON_FOR,
        expires_at=now + ANSWER_KEPT_FOR,
        holder=services.new_id(),
    )
    read_version: object | None = None
    found = await services.idempotency.get(mine.key)
    if found is not None:
        answer, read_version = found
        # The TTL removes expired responses within about a day; before that they are ignored here.
        if answer.expires_at > now:
            if answer.fingerprint != mine.fingerprint:
                raise Problem(ProblemCode.IDEMPOTENCY_KEY_REUSED)
            if answer.status is not None:
                return _replay(answer)
            if answer.is_worked_on(now):
                raise Problem(ProblemCode.REQUEST_IN_PROGRESS, retry_after_s=ASK_AGAIN_S)
    try:
        version = await services.idempotency.save(read_version, mine)
    except Conflict as conflict:
        raise Problem(ProblemCode.REQUEST_IN_PROGRESS, retry_after_s=ASK_AGAIN_S) from conflict
    try:
        response = await handler(request)
    except BaseException:
        await _release(services, version, mine)
        raise
    # Handlers raise refusals, so a returned response is a success.
    await _keep(services, version, mine, response)
    return response


async def _fingerprint(request: Request) -> str:
    identity = (request.method, request.url.path, request.url.query)
    return sha256("\n".join(identity).encode() + b"\n" + await request.body()).hexdigest()


async def _keep(services: ApiServices, version: object, mine: Answer, response: Response) -> None:
    """Keep a success; if the save fails, the client still gets the response to the done work."""
    body = bytes(response.body).decode()
    done = mine.model_copy(update={"status": response.status_code, "body": body})
    try:
        await services.idempotency.save(version, done)
    except (Conflict, Transient) as error:
        logs.failure("answer_not_kept", error)


async def _release(services: ApiServices, version: object, mine: Answer) -> None:
    """Free the key at once; if the removal fails, the key is free after `until`."""
    with suppress(Conflict, Transient):
        await services.idempotency.remove(version, mine)


def _replay(answer: Answer) -> Response:
    assert answer.status is not None
    return Response(
        answer.body,
        status_code=answer.status,
        media_type="application/json",
        headers={REPLAYED_HEADER: "true"},
    )
