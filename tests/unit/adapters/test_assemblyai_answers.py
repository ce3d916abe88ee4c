"""Test that each error response of AssemblyAI is mapped to the error of its table row."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumimd.adapters.assemblyai.answers import (
    FAILED_JOBS,
    TABLE,
    Call,
    Meaning,
    failed_job,
    meaning,
    refusal,
    sentence_of,
)
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import DeploymentFault, Permanent, ProviderRefuses, Transient
from lumimd.ports.transcriber import JobGone

F, M = DeploymentFault, Meaning
EVERY = tuple(Call)

ROWS: list[tuple[int, tuple[Call, ...], str, DeploymentFault | Meaning]] = [
    *(
        (status, EVERY, "", M.COMES_BACK)
        for status in (408, 409, 423, 425, 429, 500, 503, 504, 529)
    ),
    (401, EVERY, "Authentication error, API token missing/invalid", F.KEY_REFUSED),
    (402, EVERY, "Account not upgraded", F.UNPAID),
    (403, EVERY, "Forbidden", F.FORBIDDEN),
    (407, EVERY, "", F.FORBIDDEN),
    (451, EVERY, "", F.FORBIDDEN),
    (400, (Call.JOB,), "Transcript lookup error, transcript id not found", M.JOB_GONE),
    (404, (Call.JOB,), "Not found", M.JOB_GONE),
    (404, (Call.JOB,), "", F.ROUTE_NOT_FOUND),
    (404, (Call.ORDER, Call.LIST, Call.UPLOAD), "Not found", F.ROUTE_NOT_FOUND),
    (405, EVERY, "Method Not Allowed", F.ROUTE_NOT_FOUND),
    (302, EVERY, "", F.ROUTE_NOT_FOUND),
    (
        400,
        EVERY,
        "Your current account balance is negative. Please top up to continue using the API.",
        F.UNPAID,
    ),
    (400, EVERY, "Insufficient funds", F.UNPAID),
    (400, EVERY, "Invalid API key", F.KEY_REFUSED),
    (400, EVERY, "Please upgrade your plan to use this feature", F.FORBIDDEN),
    (400, EVERY, "This account is disabled", F.FORBIDDEN),
    (400, (Call.ORDER,), "Invalid speech_models: universal-1", F.MODEL_NOT_FOUND),
    (400, (Call.ORDER,), "audio_url should be an HTTP URL.", M.RECORDING_REFUSED),
    (
        400,
        (Call.ORDER,),
        "Invalid endpoint schema, please refer to documentation",
        F.REQUEST_REFUSED,
    ),
    (400, (Call.JOB, Call.LIST), "audio_url should be an HTTP URL.", F.REQUEST_REFUSED),
    (413, EVERY, "", F.REQUEST_REFUSED),
    (418, EVERY, "I am a teapot", F.REQUEST_REFUSED),
    (422, EVERY, "Unprocessable", F.REQUEST_REFUSED),
]


@pytest.mark.parametrize(
    ("status", "call", "sentence", "means"),
    [(status, call, said, means) for status, calls, said, means in ROWS for call in calls],
)
def test_each_error_response_of_the_provider_has_the_meaning_in_the_table(
    status: int, call: Call, sentence: str, means: DeploymentFault | Meaning
) -> None:
    assert meaning(status, call, sentence) is means


def test_the_examples_cover_every_row_of_the_error_table() -> None:
    def row_of(status: int, call: Call, sentence: str) -> int:
        plain = sentence.lower()
        return next(n for n, row in enumerate(TABLE) if row.fits(status, call, plain))

    tested = {row_of(status, call, said) for status, calls, said, _ in ROWS for call in calls}
    assert tested == set(range(len(TABLE)))


@given(st.integers(300, 599), st.sampled_from(Call), st.binary())
def test_only_an_error_response_to_a_job_submission_is_permanent(
    status: int, call: Call, body: bytes
) -> None:
    raised = refusal(status, call, body, {})
    assert isinstance(raised, Transient | JobGone | Permanent)
    if isinstance(raised, Permanent):
        assert call is Call.ORDER
    if isinstance(raised, JobGone):
        assert call is Call.JOB


SECRET = "sk-canary-of-the-key"


@pytest.mark.parametrize("call", Call)
@pytest.mark.parametrize("status", [302, 400, 401, 402, 403, 404, 418, 429, 500])
def test_an_error_never_contains_text_of_the_providers_response(status: int, call: Call) -> None:
    """The provider's sentence may contain the key or the signed URL of a recording."""
    said = {"error": f"{SECRET} is no API key for https://storage/x?Signature={SECRET}"}
    raised = refusal(status, call, json.dumps(said).encode(), {"location": SECRET})
    assert SECRET not in f"{raised!r} {raised} {raised.args} {vars(raised)}"


@pytest.mark.parametrize(
    "body", [b"", b"<html>not found</html>", b"[]", b'{"error": 5}', b'{"err', b"\xff", b"[" * 9999]
)
def test_a_response_without_an_error_field_has_an_empty_sentence(body: bytes) -> None:
    assert sentence_of(body) == ""


SENTENCES = {
    "too short": "Audio duration is too short.",
    "too long": "Audio file is too long",
    "size exceeds": "Audio file size exceeds the limit",
    "no spoken audio": "language_detection cannot be performed on files with no spoken audio.",
    "speech threshold": "Audio speech threshold 0.0 is below the requested speech threshold value",
    "not appear to contain audio": "File does not appear to contain audio. File type is text/html",
    "does not contain audio": "The file does not contain audio",
    "unsupported language": "Unsupported language xx",
    "unsupported": "Unsupported file type",
}


@pytest.mark.parametrize("row", FAILED_JOBS, ids=lambda row: row.part)
def test_a_failed_job_is_classified_by_its_error_sentence(row: object) -> None:
    assert failed_job(SENTENCES[row.part]) is row  # type: ignore[attr-defined]


PARTS = [row.part for row in FAILED_JOBS]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(
    "sentence",
    [
        "Download error to https://storage.invalid/b/visits/u/v/{}.m4a, 403 Client Error",
        "Download error, unable to download gs://b/visits/u/{}?Signature=a. Please make sure",
        "Unable to read /tmp/{}.wav",
        "Unable to read {}.m4a, sorry",
        'The server said "{}"',
        "Upstream said `{}`",
        'Download error. Response headers: {{"x-detail": "{}"}}',
        "Download error. Response header: x-detail={}",
    ],
)
def test_quoted_text_in_a_provider_error_is_ignored_by_the_classification(
    part: str, sentence: str
) -> None:
    quoted = part if "said" in sentence or "header" in sentence else part.replace(" ", "%20")
    found = failed_job(sentence.format(quoted))
    assert (found.code, found.is_transient) == (ErrorCode.TRANSCRIPTION_FAILED, True)
    if "%20" not in quoted and " " not in quoted:
        assert meaning(400, Call.ORDER, sentence.format("balance")) is not F.UNPAID


def test_the_error_for_an_unpaid_account_keeps_retry_after() -> None:
    raised = refusal(402, Call.ORDER, b"", {"retry-after": "60"})
    assert isinstance(raised, ProviderRefuses)
    assert (raised.reason, raised.retry_after_s) == (F.UNPAID, 60)
