"""The order of a paid job at AssemblyAI, with every option that affects the result.

Because every option is named, results change with the settings of a deployment, and not when the
provider changes its default models.
"""

from typing import Any

from assemblyai import types as aai

from lumimd.adapters.assemblyai.options import Options


def order(audio_url: str, options: Options, webhook: dict[str, str]) -> dict[str, Any]:
    """Return the body of the request for a transcript.

    There is no `speech_threshold`, because a minimum share of speech would refuse a long recording
    with minutes of speech (2 % of ten hours are twelve minutes). A recording without any speech
    fails free of charge anyway, because its language cannot be detected.
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
