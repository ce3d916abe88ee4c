"""Error responses of OpenAI's API are classified, with the SDK over a real connection."""

from typing import Any

import pytest

from lumimd.adapters.openai.answers import TABLE, Passing, Row
from lumimd.adapters.openai.summarizer import OpenAISummarizer
from lumimd.domain import errors
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import DeploymentFault, NotCharged, Permanent, ProviderRefuses, Transient
from tests.contract.conftest import QUICK
from tests.support import openai_server as api
from tests.support.openai_server import OpenAIServer
from tests.support.services import transcript

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def raised_by(model: OpenAISummarizer, server: OpenAIServer, reply: api.Reply) -> Exception:
    server.script(*[reply] * QUICK.attempts)
    with pytest.raises((Transient, Permanent)) as raised:
        await model.summarize(transcript())
    return raised.value


def assert_means(error: Exception, meaning: object) -> None:
    match meaning:
        case DeploymentFault():
            assert isinstance(error, ProviderRefuses)
            assert (error.reason, error.code) == (meaning, ErrorCode.SUMMARY_UNAVAILABLE)
        case ErrorCode():
            assert isinstance(error, NotCharged)
            assert error.code is meaning
        case Passing.MAY_HAVE_ANSWERED:
            assert isinstance(error, errors.Unanswered)
        case _:
            assert type(error) is Transient


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.status}-{row.name}")
async def test_every_row_of_the_error_table_classifies_its_error_response(
    model: OpenAISummarizer, server: OpenAIServer, row: Row
) -> None:
    reply = api.error(row.status or 400, code=row.name)
    assert_means(await raised_by(model, server, reply), row.meaning)


@pytest.mark.parametrize("status", [400, 403, 404, 422, 429])
async def test_the_name_or_type_of_an_error_outranks_its_status(
    model: OpenAISummarizer, server: OpenAIServer, status: int
) -> None:
    reply = api.error(status, type_="insufficient_quota")
    assert_means(await raised_by(model, server, reply), DeploymentFault.QUOTA_EXHAUSTED)


@pytest.mark.parametrize(
    ("status", "param", "meaning"),
    [
        (400, "messages", ErrorCode.SUMMARY_INVALID),
        (400, "messages[1].content", ErrorCode.SUMMARY_INVALID),
        (400, "model", DeploymentFault.MODEL_NOT_FOUND),
        (404, "model", DeploymentFault.MODEL_NOT_FOUND),
        (400, "response_format", DeploymentFault.REQUEST_REFUSED),
        (422, "reasoning_effort", DeploymentFault.REQUEST_REFUSED),
    ],
)
async def test_the_parameter_that_an_error_names_decides_its_meaning(
    model: OpenAISummarizer, server: OpenAIServer, status: int, param: str, meaning: object
) -> None:
    reply = api.error(status, code="invalid_value", param=param)
    assert_means(await raised_by(model, server, reply), meaning)


@pytest.mark.parametrize("status", [406, 411, 418, 421, 426, 431, 451, 499])
async def test_an_unknown_4xx_is_an_account_or_configuration_fault(
    model: OpenAISummarizer, server: OpenAIServer, status: int
) -> None:
    error = await raised_by(model, server, api.error(status))
    assert_means(error, DeploymentFault.REQUEST_REFUSED)
    assert len(server.calls) == 1, "a fault for the operator is not retried"


@pytest.mark.parametrize("body", ["", "<html>No</html>", "null", "[]", '{"error": "no"}'])
async def test_an_error_response_without_an_error_object_is_classified_by_its_status(
    model: OpenAISummarizer, server: OpenAIServer, body: str
) -> None:
    error = await raised_by(model, server, api.page(body, "application/json", status=403))
    assert_means(error, DeploymentFault.FORBIDDEN)


@pytest.mark.parametrize("code", [404, 1.5, ["a"], {"a": 1}])
async def test_an_error_code_that_is_not_a_string_is_ignored(
    model: OpenAISummarizer, server: OpenAIServer, code: Any
) -> None:
    error = await raised_by(model, server, api.error(404, code=code))
    assert_means(error, DeploymentFault.ROUTE_NOT_FOUND)
