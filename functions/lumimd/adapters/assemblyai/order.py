"""The order for AssemblyAI: it names every option that affects the result.

The provider announces and changes default models; only its settings change a deployment.
"""

from dataclasses import dataclass
from typing import Any, Final

from assemblyai import types as aai

MODELS: Final = ("universal-3-5-pro", "universal-2")
"""In order of preference: the first knows 18 languages, the second takes the others."""


@dataclass(frozen=True)
class Options:
    """Options of a deployment. `domain` and `key_terms` cost more, and are off by default.

    `languages` are the possible languages of a recording; empty means all.
    """

    models: tuple[str, ...] = MODELS
    domain: str | None = None
    key_terms: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()


def order(audio_url: str, options: Options, webhook: dict[str, str]) -> dict[str, Any]:
    """The body of the request.

    There is no `speech_threshold`: a minimum share of speech refuses a long recording with minutes
    of speech (2 % of ten hours are twelve minutes). A recording without any speech fails free of
    charge anyway, because its language cannot be detected.
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
