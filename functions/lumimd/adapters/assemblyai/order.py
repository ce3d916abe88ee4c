"""The order for AssemblyAI: every option that decides the result is named.

The provider announces new default models and changes them; a deployment changes by its settings.
"""

from dataclasses import dataclass
from typing import Any, Final

from assemblyai import types as aai

MODELS: Final = ("universal-3-5-pro", "universal-2")
"""In order of priority: the first knows 18 languages, the second one takes the others."""


@dataclass(frozen=True)
class Options:
    """Options of a deployment. `domain` and `key_terms` cost more, and are off by default.

    `languages` are those that a recording may be in; without any, all of them.
    """

    models: tuple[str, ...] = MODELS
    domain: str | None = None
    key_terms: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()


def order(audio_url: str, options: Options, webhook: dict[str, str]) -> dict[str, Any]:
    """The body of the request.

    There is no `speech_threshold`: a share of speech refuses a long recording that holds minutes of
    it (2 % of ten hours are twelve minutes). A recording without any speech fails free of charge
    all the same, since its language cannot be detected.
    """
    detection: dict[str, Any] = {"fallback_language": "auto"}
    if options.languages:
        detection["expected_languages"] = list(options.languages)
    request = aai.TranscriptRequest(
        audio_url=audio_url,
        speech_models=list(options.models),
        speaker_labels=True,
        language_detection=True,
        punctuate=True,
        format_text=True,
        disfluencies=False,
        filter_profanity=False,
        domain=options.domain,
        keyterms_prompt=list(options.key_terms) or None,
        language_detection_options=detection,
        **webhook,
    )
    body: dict[str, Any] = request.model_dump(exclude_none=True, by_alias=True)
    return body
