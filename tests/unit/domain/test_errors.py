"""Test the complete lists of error codes and sentences that clients see."""

import re

import pytest

from lumimd.domain.codes import ErrorCode, RefusalCode
from lumimd.domain.errors import Permanent, Transient
from lumimd.domain.visit import ProcessingError, Stage

JARGON = re.compile(
    r"api|assembly|backend|code|error|exception|fail|http|id\b|invalid|json|llm|model|null|openai|"
    r"provider|queue|retry|server|task|time-?out|token|webhook|_|\d{3}",
    re.IGNORECASE,
)

OF_THE_RECORDING = {code for code in ErrorCode if code.startswith("audio_")} | {ErrorCode.NO_SPEECH}
FOR_THE_OWNER = {ErrorCode.CANCELLED, ErrorCode.CONSENT_MISSING, ErrorCode.EXPIRED}


@pytest.mark.parametrize("code", ErrorCode)
def test_each_error_code_has_a_short_message_without_jargon(code: ErrorCode) -> None:
    message = code.sentence
    assert re.fullmatch(r"[A-Z][^.!?]*\.( [A-Z][^.!?]*\.)?", message), "a sentence, and a remedy"
    assert len(message) <= 90
    assert not JARGON.search(message)


def test_a_failure_is_retryable_unless_the_recording_or_the_owner_causes_it() -> None:
    retryable = {code for code in ErrorCode if code.retryable}
    assert set(ErrorCode) - OF_THE_RECORDING - FOR_THE_OWNER == retryable


def test_each_refusal_code_has_a_sentence_without_jargon() -> None:
    assert not any(JARGON.search(code.sentence) for code in RefusalCode)


@pytest.mark.parametrize("code", ErrorCode)
def test_a_recorded_failure_has_the_message_and_retryability_of_its_code(code: ErrorCode) -> None:
    recorded = ProcessingError.of(code, Stage.SUMMARY)
    assert (recorded.message, recorded.retryable) == (code.sentence, code.retryable)


@pytest.mark.parametrize("code", ErrorCode)
def test_the_text_of_an_error_is_only_its_code(code: ErrorCode) -> None:
    assert str(Transient(code, retry_after_s=7)) == str(Permanent(code)) == code.value
    assert Transient(code).retry_after_s is None
