"""Responses have security headers, requests have limits, and problems do not quote their cause."""

import io
import json
import logging
from typing import Any

import pytest

from lumimd.api.security import HEADERS, MAX_BODY_BYTES, BrokenOff, Bugs
from lumimd.domain.codes import ErrorCode, ProblemCode
from lumimd.domain.errors import Transient
from lumimd.stores.owner_queries import OwnerQueries
from tests.support.api import Api, completed, failed, stored, visit_of

CANARY = "quokka-canary"


def test_every_problem_code_has_a_status_and_a_sentence() -> None:
    assert all(code.status >= 400 and code.sentence for code in ProblemCode)


ANSWERS = [
    ("GET", "/health", 200),
    ("GET", "/openapi.json", 200),
    ("GET", "/v1/visits", 200),
    ("GET", "/v1/visits/none", 404),
    ("GET", "/nowhere", 404),
    ("GET", "/v1/visits/", 404),
    ("PUT", "/v1/visits", 405),
    ("POST", "/v1/visits", 422),
    ("GET", "/docs", 404),
]


@pytest.mark.parametrize(("method", "path", "status"), ANSWERS)
async def test_every_response_has_the_security_headers(
    api: Api, method: str, path: str, status: int
) -> None:
    answer = await api.call(method, path)
    assert answer.status_code == status
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    if status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status


async def test_a_405_response_lists_the_allowed_methods(api: Api) -> None:
    assert "GET" in (await api.call("PUT", "/v1/me")).headers["allow"]


async def test_an_unexpected_exception_is_a_500_without_details_and_with_security_headers(
    api: Api, monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError(CANARY)

    monkeypatch.setattr(OwnerQueries, "visits", broken)
    answer = await api.get("/v1/visits")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert CANARY not in answer.text
    assert CANARY not in log.getvalue()


async def test_a_dependency_that_is_down_is_a_503_with_retry_after(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(*_: object, **__: object) -> None:
        raise Transient(ErrorCode.INTERNAL_ERROR, retry_after_s=7)

    monkeypatch.setattr(OwnerQueries, "visits", down)
    answer = await api.get("/v1/visits")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["Retry-After"] == "7"


async def test_a_token_verifier_that_is_down_is_a_503_and_not_a_401(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(_: str) -> None:
        raise Transient(ErrorCode.INTERNAL_ERROR)

    monkeypatch.setattr(api.services.tokens, "verify", down)
    assert (await api.get("/v1/visits")).status_code == 503


async def test_a_body_over_the_limit_is_refused_with_or_without_content_length(api: Api) -> None:
    large = json.dumps({"consent": True, "title": "x" * MAX_BODY_BYTES}).encode()

    async def pieces() -> Any:
        for start in range(0, len(large), 65_536):
            yield large[start : start + 65_536]

    for content in (large, pieces()):
        answer = await api.post("/v1/visits", content=content)
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_the_largest_valid_batch_is_within_the_body_limit(api: Api) -> None:
    announced = {"title": "\u20ac" * 200, "tags": ["\u20ac" * 50] * 10}
    answer = await api.post("/v1/batches", json={"consent": True, "visits": [announced] * 100})
    assert answer.status_code == 201


async def test_only_configured_origins_get_cors_headers(api: Api) -> None:
    async def preflight(origin: str) -> Any:
        return await api.http.options(
            "/v1/visits",
            headers={"Origin": origin, "Access-Control-Request-Method": "POST"},
        )

    known = await preflight("https://app.example.com")
    assert known.headers["access-control-allow-origin"] == "https://app.example.com"
    assert "access-control-allow-credentials" not in known.headers
    other = await preflight("https://evil.example.com")
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize(
    "body",
    [
        f'{{"consent": true, "{CANARY}": 1}}',
        f'{{"consent": "{CANARY}"}}',
        f'{{"consent": true, "title": {{"{CANARY}": 1}}}}',
        f'{{"consent": true, "tags": ["{CANARY * 9}"]}}',
        f'{{"consent": true, {CANARY}',
        f'"{CANARY}"',
        f'{{"consent": true, "contentType": "{CANARY}"}}',
        '{"consent": true, "title": "\\ud800"}',
        "[" * 5000,
        "NaN",
    ],
)
async def test_problem_responses_and_log_lines_do_not_quote_the_request(
    api: Api, body: str, log: io.StringIO
) -> None:
    answer = await api.post(
        f"/v1/visits?{CANARY}={CANARY}",
        content=body.encode(),
        headers={"Content-Type": "application/json", "X-Note": CANARY},
    )
    assert answer.status_code == 422
    assert CANARY not in answer.text
    assert CANARY not in log.getvalue()


async def test_no_request_logs_text_of_a_visit_or_shows_it_to_another_user(
    api: Api, log: io.StringIO
) -> None:
    canary = {"title": CANARY, "summary": CANARY, "tags": (CANARY,)}
    await stored(
        api.services,
        completed(visit_of("user-1", "done", batch_id="b"), **canary),
        failed(visit_of("user-1", "broken"), **canary),
    )
    logging.getLogger("lumimd").warning("%s", CANARY)  # as a library might log
    requests = [
        ("GET", f"/v1/visits/{CANARY}"),
        ("GET", "/v1/visits/done"),
        ("GET", "/v1/visits"),
        ("GET", "/v1/me/export"),
        ("POST", "/v1/visits/broken/retry"),
        ("POST", "/v1/visits/done/regenerate"),
        ("POST", "/v1/visits/done/cancel"),
        ("PATCH", "/v1/visits/done"),
        ("DELETE", "/v1/visits/done"),
        ("DELETE", "/v1/me"),
    ]
    for method, path in requests:
        json_body = {"title": CANARY} if method == "PATCH" else None
        answer = await api.call(method, path, json=json_body)
        assert answer.status_code < 500
        if answer.status_code >= 400:
            assert CANARY not in answer.text
        # The response to another user contains no text of the visit.
        theirs = await api.call(method, path, "user-2", json=json_body)
        if path != "/v1/me/export":
            assert CANARY not in theirs.text
    assert "visit_deleted" in log.getvalue()
    assert CANARY not in log.getvalue()


@pytest.mark.parametrize("error", [ValueError(CANARY), Transient(ErrorCode.INTERNAL_ERROR)])
async def test_an_error_after_the_start_of_a_response_is_raised_without_its_text(
    error: Exception,
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise error from KeyError(CANARY)

    async def sent(message: Any) -> None:
        pass

    with pytest.raises(BrokenOff) as raised:
        await Bugs(app)({"type": "http"}, sent, sent)
    assert (raised.value.args, raised.value.__cause__, raised.value.__context__) == ((), None, None)
