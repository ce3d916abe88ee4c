"""Transcripts are read from JSON, or from text in any script with the speaker before a colon."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.local.offline.transcripts import MAX_MS, BadTranscript, read_transcript

Said = list[tuple[str, str]]


def said_in(tmp_path: Path, content: str | bytes) -> Said:
    file = tmp_path / "visit.txt"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    transcript = read_transcript(file)
    assert [each.id for each in transcript.utterances] == [
        f"u{number}" for number in range(1, len(transcript.utterances) + 1)
    ]
    return [(each.speaker, each.text) for each in transcript.utterances]


HELLO: Said = [("D", "Hello."), ("P", "Hi, doctor.")]
TEXT: dict[str, tuple[str | bytes, Said]] = {
    "lines": ("D: Hello.\nP: Hi, doctor.", HELLO),
    "blank lines": ("\n\nD: Hello.\n \t\nP: Hi, doctor.\n\n", HELLO),
    "line ends of Windows": ("D: Hello.\r\nP: Hi, doctor.\r\n", HELLO),
    "old line ends": ("D: Hello.\rP: Hi, doctor.", HELLO),
    "a mark of byte order": ("\ufeffD: Hello.\nP: Hi, doctor.", HELLO),
    "UTF-16": ("D: Hello.\nP: Hi, doctor.".encode("utf-16"), HELLO),
    "blanks around": ("  D :  Hello.  \n\tP:Hi, doctor.\t", HELLO),
    "a line that goes on": ("D: Hello.\nP: Hi,\n  doctor.", HELLO),
    "words on the next line": ("D:\nHello.\nP:\n\nHi, doctor.", HELLO),
    "a speaker without words": ("D: Hello.\nX:\nP: Hi, doctor.", HELLO),
    "names": (
        "Speaker 1: Hello.\nDr. Ann-Marie O'Hara 2: Hi.",
        [("Speaker 1", "Hello."), ("Dr. Ann-Marie O'Hara 2", "Hi.")],
    ),
    "another script": (
        "\u533b\u751f\uff1a\u3053\u3093\u306b\u3061\u306f\u3002\n\u60a3\u8005: \u306f\u3044",
        [
            ("\u533b\u751f", "\u3053\u3093\u306b\u3061\u306f\u3002"),
            ("\u60a3\u8005", "\u306f\u3044"),
        ],
    ),
    "separators of other systems stay": ("D: a\u2028b\x85c\x0bd", [("D", "a\u2028b\x85c\x0bd")]),
    "colons in the words": (
        "D: Take it at 10:30: not later.\nAt 10:30 I come.\nSee https://example.org",
        [("D", "Take it at 10:30: not later. At 10:30 I come. See https://example.org")],
    ),
    "a sentence with a colon is no speaker": (
        "D: Hello.\nThis is what I told the other patient yesterday: rest.",
        [("D", "Hello. This is what I told the other patient yesterday: rest.")],
    ),
    "no speaker": ("Hello.\nHi.", [("UNKNOWN", "Hello. Hi.")]),
    "a note in brackets": ("[coughs]\nD: Hello.", [("UNKNOWN", "[coughs]"), ("D", "Hello.")]),
    "nothing": ("", []),
    "blank": (" \n\t\n", []),
}


@pytest.mark.parametrize("content", TEXT)
def test_each_text_line_is_an_utterance_of_the_speaker_before_the_colon(
    tmp_path: Path, content: str
) -> None:
    text, said = TEXT[content]
    assert said_in(tmp_path, text) == said


def times_in(tmp_path: Path, utterances: list[dict[str, Any]]) -> list[tuple[int, int]]:
    file = tmp_path / "visit.json"
    file.write_text(json.dumps({"utterances": utterances}))
    return [(each.start_ms, each.end_ms) for each in read_transcript(file).utterances]


def test_a_json_transcript_has_speakers_texts_and_times(tmp_path: Path) -> None:
    timed = {"speaker": "A", "text": "Hello.", "startMs": 100, "endMs": 900.4}
    assert times_in(tmp_path, [timed]) == [(100, 900)]
    assert said_in(tmp_path, json.dumps({"utterances": [timed]})) == [("A", "Hello.")]
    assert said_in(tmp_path, json.dumps([timed])) == [("A", "Hello.")], "a bare list too"
    assert said_in(tmp_path, json.dumps({"utterances": []})) == []


def test_utterances_without_times_follow_one_another(tmp_path: Path) -> None:
    said = {"speaker": "A", "text": "one two three"}
    late = said | {"startMs": 60_000}
    backwards = said | {"startMs": 5_000, "endMs": 1_000}
    times = times_in(tmp_path, [said, said, late, said])
    assert times == [(0, 1_200), (1_200, 2_400), (60_000, 61_200), (61_200, 62_400)]
    assert times_in(tmp_path, [backwards]) == [(5_000, 5_000)]


@pytest.mark.parametrize("speaker", [1, None])
def test_a_speaker_may_be_a_number_or_unknown(tmp_path: Path, speaker: Any) -> None:
    said = json.dumps({"utterances": [{"speaker": speaker, "text": "Hi."}]})
    assert said_in(tmp_path, said) == [("1" if speaker else "UNKNOWN", "Hi.")]


GOOD = {"speaker": "A", "text": "Hi."}


@pytest.mark.parametrize(
    "content",
    [
        "{",
        '{"utterances": ',
        "{}",
        '{"utterances": null}',
        '{"utterances": {}}',
        '{"utterances": [null]}',
        '{"utterances": ["Hi."]}',
        '{"utterances": [{"speaker": "A"}]}',
        '{"utterances": [{"speaker": "A", "text": 3}]}',
        '{"utterances": [{"speaker": {}, "text": "Hi."}]}',
        *(
            f'{{"utterances": [{{"speaker": "A", "text": "Hi.", "startMs": {bad}}}]}}'
            for bad in ("-1", "NaN", "1e999", '"1"', "true", str(MAX_MS + 1))
        ),
        '{"a": ' * 100_000,
        b"\xff\xfe\x00",
        b"\x89PNG\r\n\x1a\n\x00\x00",
        b"caf\xe9: bonjour",
    ],
)
def test_the_error_for_an_invalid_transcript_file_does_not_quote_the_file(
    tmp_path: Path, content: str | bytes
) -> None:
    with pytest.raises(BadTranscript) as refused:
        said_in(tmp_path, content)
    assert len(str(refused.value)) < 80


def test_a_missing_file_or_a_folder_is_refused(tmp_path: Path) -> None:
    for file in (tmp_path / "none", tmp_path):
        with pytest.raises(BadTranscript):
            read_transcript(file)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)))
def test_any_file_is_read_as_a_transcript_or_refused(tmp_path: Path, content: bytes) -> None:
    try:
        said_in(tmp_path, content)
    except BadTranscript:
        return
