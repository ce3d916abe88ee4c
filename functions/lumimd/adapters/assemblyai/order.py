"""The order for AssemblyAI: it names every option that affects the result.

The provider announces and changes default models; only its settings change a deployment.
"""

from typing import Any

from assemblyai import types as aai

from lumimd.adapters.assemblyai.options import Options


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
