"""The file extensions and content types of recordings.

`storage.rules`, the web client and the documentation repeat these names;
`tests/rules/test_rules_agree.py` compares all places.
"""

from collections.abc import Mapping
from typing import Final

EXTENSIONS: Final = (
    *("m4a", "m4b", "mp4", "mov", "3gp", "3g2", "aac", "mp3", "ogg", "oga", "opus"),
    *("webm", "weba", "mka", "flac", "wav", "caf", "aiff", "aif", "aifc", "amr"),
)
"""The file extensions of recordings that phones, browsers and dictation devices write."""

TYPES: Final[Mapping[str, str]] = {
    "audio/mp4": "m4a",
    "audio/x-m4a": "m4a",
    "audio/m4a": "m4a",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/aac": "aac",
    "audio/x-aac": "aac",
    "audio/ogg": "ogg",
    "audio/opus": "opus",
    "audio/webm": "webm",
    "audio/x-matroska": "mka",
    "audio/flac": "flac",
    "audio/x-flac": "flac",
    "audio/wav": "wav",
    "audio/wave": "wav",
    "audio/x-wav": "wav",
    "audio/vnd.wave": "wav",
    "audio/x-caf": "caf",
    "audio/aiff": "aiff",
    "audio/x-aiff": "aiff",
    "audio/amr": "amr",
    "audio/3gpp": "3gp",
    "audio/3gpp2": "3g2",
    "application/ogg": "ogg",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "video/ogg": "ogg",
    "video/3gpp": "3gp",
    "video/3gpp2": "3g2",
    "video/quicktime": "mov",
    "video/x-matroska": "mka",
}
"""The types that a client may announce to the API, in lower case and without parameters."""

# Parameters as in RFC 9110, 5.6.6. Recorders also send unquoted values with commas or spaces, as in
# `video/webm;codecs=vp8,opus`. Character classes replace escapes, since the security rules repeat
# the expression.
_PARAMETERS: Final = r"""( *; *[A-Za-z0-9!#$&^_.+-]+=("[ -~]*"|[!#-:<-~][ !#-:<-~]*))* *;? *"""

RECORDING_TYPES: Final = (
    r"((?i:audio/[a-z0-9!#$&^_.+-]+|application/ogg"
    r"|video/(mp4|webm|ogg|3gpp2?|quicktime|x-matroska)))" + _PARAMETERS
)
"""The content types of recordings, including video, since phones write sound into video containers.

Case does not matter, and any parameters are allowed, since a browser's recorder names the codec
(`audio/webm;codecs=opus`).
"""


def essence(content_type: str) -> str:
    """Return the lower-case type without parameters: `audio/webm` for `Audio/WebM; codecs=opus`."""
    return content_type.partition(";")[0].strip().lower()
