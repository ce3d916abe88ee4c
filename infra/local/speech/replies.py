"""Builds the JSON that clients read, in the shapes of AssemblyAI's OpenAPI document.

A property without a value is omitted if the document does not allow null.
"""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from infra.local.speech.jobs import Job, ListQuery, Page
from infra.local.speech.params import KNOWN_FIELDS
from infra.local.speech.recognition import Utterance, mean_confidence

DELETED_URL = "http://deleted_by_user"
DELETED_TEXT = "Deleted by user."

# Options of a submission that are absent from the document's Transcript schema, or that differ.
_NOT_ECHOED = """
audio_url boost_param content_safety_confidence custom_topics domain dual_channel
keyterms_prompt_options language_code redact_pii_return_unredacted speaker_options
speech_model speed_boost topics webhook_auth_header_value word_boost
"""
_ECHOED = sorted(KNOWN_FIELDS - set(_NOT_ECHOED.split()))


def transcript(job: Job) -> dict[str, Any]:
    """Build a Transcript, the response to submit, get and delete."""
    reply: dict[str, Any] = {
        "id": job.id,
        "status": job.status,
        "audio_url": job.audio_url,
        "language_model": "assemblyai_default",
        "acoustic_model": "assemblyai_default",
        "speech_model": None,
        "language_confidence": None,
        "language_confidence_threshold": None,
        "text": None,
        "words": None,
        "utterances": None,
        "confidence": None,
        "audio_duration": None,
        "punctuate": True,
        "format_text": True,
        "auto_highlights": False,
        "redact_pii": False,
        "summarization": False,
        "webhook_status_code": job.deliveries[-1].status if job.deliveries else None,
        "webhook_auth": "webhook_auth_header_name" in job.params,
    }
    reply |= {name: job.params[name] for name in _ECHOED if name in job.params}
    if not job.params.get("language_detection"):
        reply["language_code"] = job.params.get("language_code", "en_us")
    if job.error is not None:
        reply["error"] = job.error
    if (recognition := job.recognition) is not None:
        reply |= {
            "text": " ".join(word.text for word in recognition.words),
            "words": [word._asdict() for word in recognition.words],
            "confidence": mean_confidence(recognition.words),
            "audio_duration": recognition.seconds,
            "language_code": recognition.language_code,
            "language_confidence": recognition.language_confidence,
            "speech_model_used": recognition.model,
        }
        if recognition.utterances is not None:
            reply["utterances"] = [utterance_reply(each) for each in recognition.utterances]
    if job.deleted:
        reply |= {
            "audio_url": DELETED_URL,
            "text": DELETED_TEXT,
            "words": None,
            "utterances": None,
            "confidence": None,
            "webhook_auth": False,
            "webhook_auth_header_name": None,
            "webhook_url": DELETED_URL if job.webhook_url else None,
        }
        # The deletion must also remove the error, because a download error quotes the audio's URL.
        if job.error is not None:
            reply["error"] = DELETED_TEXT
    return reply


def transcript_list(page: Page, query: ListQuery, base_url: str) -> dict[str, Any]:
    """Build a TranscriptList. `base_url` is the server's URL without a slash at the end."""
    resource = f"{base_url}/v2/transcript"
    filters: dict[str, str] = {"limit": str(query.limit)}
    if query.status is not None:
        filters["status"] = query.status
    if query.created_on is not None:
        filters["created_on"] = query.created_on.isoformat()
    bounds = {
        name: value
        for name, value in (("before_id", query.before_id), ("after_id", query.after_id))
        if value is not None
    }

    def url(**more: str) -> str:
        return f"{resource}?{urlencode(filters | more)}"

    return {
        "page_details": {
            "limit": query.limit,
            "result_count": len(page.jobs),
            "current_url": url(**bounds),
            "prev_url": url(before_id=page.jobs[-1].id) if page.has_older else None,
            "next_url": url(after_id=page.jobs[0].id) if page.has_newer else None,
        },
        "transcripts": [
            {
                "id": job.id,
                "resource_url": f"{resource}/{job.id}",
                "status": job.status,
                "created": _instant(job.created_at),
                "completed": _instant(job.completed_at) if job.completed_at else None,
                "audio_url": DELETED_URL if job.deleted else job.audio_url,
                "error": DELETED_TEXT if job.deleted and job.error else job.error,
            }
            for job in page.jobs
        ],
    }


def utterance_reply(utterance: Utterance) -> dict[str, Any]:
    """Build a TranscriptUtterance."""
    return {
        "speaker": utterance.speaker,
        "text": utterance.text,
        "start": utterance.start,
        "end": utterance.end,
        "confidence": utterance.confidence,
        "words": [word._asdict() for word in utterance.words],
    }


def _instant(moment: datetime) -> str:
    # The document's pattern for times has no time zone; all times are UTC by convention.
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds")
