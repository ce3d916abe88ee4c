"""Reads transcripts from JSON, or from lines of text with the speaker before a colon."""

import codecs
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from lumimd.domain.transcript import Transcript, Utterance

MS_A_WORD: Final = 400
"""The assumed time per word in utterances without times: ordinary speech, 150 words a minute."""

UNNAMED_SPEAKER: Final = "UNKNOWN"
"""The speaker of words that precede the first speaker's name."""

MAX_MS: Final = 100 * 3_600_000
"""The latest accepted time of an utterance: 100 hours, longer than any visit."""

_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_SPEAKER: Final = re.compile(
    r"""
    \s*
    (?P<name>[^\s:\uff1a][^:\uff1a?!,;]{0,39}?)
    \s*[:\uff1a]
    (?!//|(?<=\d:)\d)  # an address, a time of day
    (?P<words>.*)
    """,
    re.VERBOSE | re.DOTALL,
)
_WORDS_OF_A_NAME: Final = 5


class BadTranscript(Exception):
    """The file contains no transcript; the message has the reason but no content of the file."""


def read_transcript(file: Path) -> Transcript:
    """Read the transcript in a file, and number its utterances u1, u2, and so on.

    Raises:
        BadTranscript: the file contains no transcript.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise BadTranscript(error.strerror or "it cannot be read") from error
    text = _decoded(content)
    if text.lstrip().startswith(("{", "[")):
        data = _json(text)
        if data is not None:
            return _numbered(_of_json(data))
    return _numbered(_of_lines(text))


def _decoded(content: bytes) -> str:
    utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if utf_16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadTranscript("it is not text in UTF-8") from error
    if "\0" in text:
        raise BadTranscript("it is not text")
    return text


def _json(text: str) -> object | None:
    """Parse JSON; return None if the text only begins like JSON, such as the line `[coughs]`."""
    try:
        return json.loads(text)  # type: ignore[no-any-return]
    except (ValueError, RecursionError) as error:
        if text.lstrip().startswith("["):
            return None
        raise BadTranscript("it is not JSON") from error


def _of_json(data: object) -> list[dict[str, Any]]:
    utterances = data.get("utterances") if isinstance(data, dict) else data
    if not isinstance(utterances, list):
        raise BadTranscript("`utterances` is not a list")
    return [_utterance(each, number) for number, each in enumerate(utterances, start=1)]


def _utterance(data: object, number: int) -> dict[str, Any]:
    if not isinstance(data, dict) or not isinstance(data.get("text"), str):
        raise BadTranscript(f"utterance {number} has no `text`")
    speaker = data.get("speaker")
    if speaker is not None and not isinstance(speaker, str | int):
        raise BadTranscript(f"the `speaker` of utterance {number} is no name")
    return {
        "speaker": _encodable(str(speaker if speaker is not None else UNNAMED_SPEAKER)),
        "text": _encodable(data["text"]),
        "start_ms": _ms(data, "startMs", number),
        "end_ms": _ms(data, "endMs", number),
    }


def _ms(data: Mapping[str, Any], name: str, number: int) -> int | None:
    value = data.get(name)
    if value is None:
        return None
    # This range check also refuses NaN.
    if isinstance(value, int | float) and type(value) is not bool and 0 <= value <= MAX_MS:
        return round(value)
    raise BadTranscript(f"the `{name}` of utterance {number} is no time in milliseconds")


def _of_lines(text: str) -> list[dict[str, Any]]:
    """Read one utterance per line; a line without a speaker continues the utterance before."""
    utterances: list[dict[str, Any]] = []
    for line in _LINE_END.split(text):
        if not line.strip():
            continue
        match = _SPEAKER.fullmatch(line)
        if match and len(match["name"].split()) <= _WORDS_OF_A_NAME:
            utterances.append({"speaker": match["name"], "text": match["words"].strip()})
        elif utterances:
            said = f"{utterances[-1]['text']} {line.strip()}"
            utterances[-1]["text"] = said.strip()
        else:
            utterances.append({"speaker": UNNAMED_SPEAKER, "text": line.strip()})
    return [each for each in utterances if each["text"]]


def _numbered(utterances: list[dict[str, Any]]) -> Transcript:
    """Build the transcript with ids, and with consecutive times if times are missing."""
    numbered, now = [], 0
    for number, each in enumerate(utterances, start=1):
        start = each.get("start_ms")
        start = now if start is None else start
        end = each.get("end_ms")
        if end is None:
            end = start + MS_A_WORD * max(1, len(each["text"].split()))
        now = max(start, end)
        numbered.append(
            Utterance(
                id=f"u{number}",
                speaker=each["speaker"],
                start_ms=start,
                end_ms=now,
                text=each["text"],
                confidence=1.0,
            )
        )
    return Transcript(utterances=tuple(numbered), duration_seconds=now / 1000)


def _encodable(text: str) -> str:
    return text.encode(errors="replace").decode()  # JSON may contain a lone surrogate
