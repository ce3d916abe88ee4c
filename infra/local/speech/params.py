"""Checks the requests of clients: the body of a submission and the query for a list of jobs.

Field names come from AssemblyAI's OpenAPI document and from AssemblyAI's Python SDK 1.8. Like the
real service, this server refuses unknown names, so that it finds a misspelt field.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from infra.local.speech.jobs import STATUSES, ListQuery

SCHEMA_ERROR = "Invalid endpoint schema, please refer to documentation for examples."

_NAMES = """
audio_end_at audio_start_from audio_url auto_chapters auto_highlights boost_param
content_safety content_safety_confidence custom_spelling custom_topics disfluencies domain
dual_channel entity_detection filter_profanity format_text iab_categories keyterms_prompt
keyterms_prompt_options language_code language_codes language_confidence_threshold
language_detection language_detection_options multichannel prompt punctuate redact_pii
redact_pii_audio redact_pii_audio_options redact_pii_audio_quality redact_pii_policies
redact_pii_return_unredacted redact_pii_sub remove_audio_tags sentiment_analysis
speaker_labels speaker_options speakers_expected speech_model speech_models speech_threshold
speech_understanding speed_boost summarization summary_model summary_type temperature topics
webhook_auth_header_name webhook_auth_header_value webhook_url word_boost
"""
KNOWN_FIELDS = frozenset(_NAMES.split())
_SHARES = ("speech_threshold", "language_confidence_threshold")
_SWITCHES = ("speaker_labels", "language_detection", "redact_pii")


_DETECTION = {
    "expected_languages",
    "fallback_language",
    "code_switching",
    "code_switching_confidence_threshold",
}
MEDICAL = "medical-v1"
MOST_TERMS = 1000
MOST_WORDS = 6


class BadRequest(ValueError):
    """The server responds to a bad request with status 400 and this message."""


def submission(body: object) -> dict[str, Any]:
    """Check the body of POST /v2/transcript, and return it without nulls. Raises BadRequest."""
    if not isinstance(body, dict):
        raise BadRequest(SCHEMA_ERROR)
    if not body.keys() <= KNOWN_FIELDS:
        raise BadRequest(SCHEMA_ERROR)
    params = {name: value for name, value in body.items() if value is not None}
    if not _is_http_url(params.get("audio_url")):
        raise BadRequest("audio_url should be an HTTP URL.")
    if "webhook_url" in params and not _is_http_url(params["webhook_url"]):
        raise BadRequest("webhook_url should be an HTTP URL.")
    for name in _SHARES:
        if name in params and not _is_share(params[name]):
            raise BadRequest(f"{name} must be a number between 0 and 1.")
    for name in _SWITCHES:
        if name in params and not isinstance(params[name], bool):
            raise BadRequest(SCHEMA_ERROR)
    _check_options(params)
    expected = params.get("speakers_expected", 1)
    if isinstance(expected, bool) or not isinstance(expected, int) or expected < 1:
        raise BadRequest("speakers_expected must be a positive integer.")
    return params


def _check_options(params: Mapping[str, Any]) -> None:
    """Check models, domain, key terms and language detection, which have no effect here."""
    models = params.get("speech_models", ["any"])
    if not _is_texts(models) or not models:
        raise BadRequest("speech_models must be a non-empty list of models.")
    if params.get("domain", MEDICAL) != MEDICAL:
        raise BadRequest(f"domain must be {MEDICAL}.")
    terms = params.get("keyterms_prompt", [])
    if not _is_texts(terms) or len(terms) > MOST_TERMS:
        raise BadRequest(f"keyterms_prompt must be a list of at most {MOST_TERMS} terms.")
    if any(len(term.split()) > MOST_WORDS for term in terms):
        raise BadRequest(f"A term of keyterms_prompt has at most {MOST_WORDS} words.")
    detection = params.get("language_detection_options", {})
    if not isinstance(detection, dict) or not detection.keys() <= _DETECTION:
        raise BadRequest(SCHEMA_ERROR)


def list_query(query: Mapping[str, str]) -> ListQuery:
    """Check and parse the query for a list of jobs. Raises BadRequest."""
    limit = query.get("limit", "10")
    if not limit.isdecimal() or not 1 <= int(limit) <= 200:
        raise BadRequest("limit must be an integer between 1 and 200.")
    status = query.get("status")
    if status is not None and status not in STATUSES:
        raise BadRequest(f"status must be one of {', '.join(STATUSES)}.")
    created_on = query.get("created_on")
    try:
        day = None if created_on is None else date.fromisoformat(created_on)
    except ValueError as error:
        raise BadRequest("created_on must be a date such as 2026-01-31.") from error
    return ListQuery(
        limit=int(limit),
        status=status,
        created_on=day,
        before_id=query.get("before_id"),
        after_id=query.get("after_id"),
        throttled_only=query.get("throttled_only", "").lower() in ("true", "1"),
    )


def _is_http_url(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        parts = urlsplit(value)
    except ValueError:  # e.g. an unclosed bracket in the host
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) and each for each in value)


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
