"""The real engine transcribes the shipped recording correctly, with the right speakers."""

import hashlib
import threading
from pathlib import Path

import httpx
import pytest

from tests.local.word_errors import compare, normalised

CHECKOUT = Path(__file__).parents[2]
SAMPLES = CHECKOUT / "samples"
MEDICATIONS = ("ibuprofen", "metformin", "prednisone")

TEXT = [
    (speaker, word)
    for speaker, _, words in (
        line.partition(": ") for line in (SAMPLES / "visit.txt").read_text("utf-8").splitlines()
    )
    for word in normalised(words)
]


@pytest.fixture(scope="module")
def engine():
    engine = pytest.importorskip("infra.local.speech.engine", exc_type=ImportError)
    return engine.Engine.load()


@pytest.fixture(scope="module")
def heard(engine):
    params = {"speaker_labels": True, "language_detection": True}
    return engine.transcribe(SAMPLES / "visit.m4a", params, threading.Event())


@pytest.mark.speech
class TestEngine:
    def test_the_sample_is_transcribed_with_few_word_and_speaker_errors(self, heard):
        words = [
            (turn.speaker, word) for turn in heard.utterances for word in normalised(turn.text)
        ]
        result = compare(TEXT, words)
        print(f"word errors {result.error_rate:.1%}, speakers {result.speaker_accuracy:.1%}")
        assert result.error_rate < 0.12
        assert result.speaker_accuracy > 0.95
        assert {speaker for speaker, _ in words} == {"A", "B"}

    @pytest.mark.parametrize("medication", MEDICATIONS)
    def test_every_medication_is_recognized(self, heard, medication):
        assert medication in " ".join(word.text for word in heard.words).lower()

    def test_the_duration_confidences_and_times_of_the_transcript_are_plausible(self, heard):
        assert heard.language_code == "en"
        assert heard.language_confidence > 0.9
        assert heard.speech_share > 0.9
        assert 100 < heard.seconds < 160
        starts = [word.start for word in heard.words]
        assert starts == sorted(starts)

    def test_files_without_speech_fail_with_the_error_messages_of_the_service(
        self, engine, tmp_path
    ):
        from infra.local.speech.recognition import RecognitionFailed

        for content, message in [
            (b"<!doctype html><html>", "File type is text/html"),
            (bytes(range(256)) * 20, "File does not appear to contain audio"),
            (wav(samples=1600), "Audio duration is too short."),
        ]:
            (tmp_path / "file").write_bytes(content)
            with pytest.raises(RecognitionFailed, match=message):
                engine.transcribe(tmp_path / "file", {}, threading.Event())

    def test_silence_has_no_words_and_no_share_of_speech(self, engine, tmp_path):
        (tmp_path / "file").write_bytes(wav(samples=32_000))
        params = {"speaker_labels": True}
        heard = engine.transcribe(tmp_path / "file", params, threading.Event())
        assert (heard.words, heard.utterances, heard.speech_share) == ((), (), 0.0)

    async def test_the_server_completes_a_job_with_the_real_engine(self, engine):
        from infra.local.speech.engine import EngineRecognizer
        from infra.local.speech.server import Options, create_app
        from tests.support.speech_server import serving

        app = create_app(
            Options(concurrency=1, scripted=False),
            lambda fetcher, _: EngineRecognizer(engine, fetcher),
        )
        async with (
            serving(app) as url,
            httpx.AsyncClient(base_url=url, headers={"authorization": "any"}) as http,
        ):
            upload = await http.post("/v2/upload", content=wav(samples=48_000))
            job = {"audio_url": upload.json()["upload_url"], "speech_threshold": 0.5}
            created = (await http.post("/v2/transcript", json=job)).json()
            await app.state.server.queue.idle()
            done = (await http.get(f"/v2/transcript/{created['id']}")).json()
        assert done["error"].startswith("Audio speech threshold 0.0 is below")


def test_the_sample_recording_was_made_from_the_current_text():
    """If this test fails, run scripts/make_sample."""
    digest = hashlib.sha256((SAMPLES / "visit.txt").read_bytes()).hexdigest()
    av = pytest.importorskip("av", exc_type=ImportError)
    with av.open(str(SAMPLES / "visit.m4a")) as recording:
        assert recording.metadata["comment"].endswith(digest)


def test_the_sample_recording_is_small_enough_for_the_repository():
    assert (SAMPLES / "visit.m4a").stat().st_size < 1_000_000


class TestWordErrors:
    """Tests of the word error rate."""

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("One hundred fifty over ninety-five.", "150 over 95"),
            ("Take 20mg, ok?", "take 20 milligrams okay"),
            ("five hundred milligrams, twice", "500 milligrams twice"),
            ("An X-ray. Alright, Dr. Lewis!", "an x ray all right doctor lewis"),
            ("one two twenty", "1 2 20"),
        ],
    )
    def test_different_spellings_of_a_word_are_normalized_to_one(self, text, words):
        assert normalised(text) == words.split()

    def test_the_word_error_rate_counts_insertions_deletions_and_substitutions(self):
        said = [("D", word) for word in ["a", "b", "c", "d"]]
        heard = [("A", word) for word in ["a", "x", "d", "e"]]
        assert compare(said, heard).errors == 3

    def test_the_speaker_accuracy_ignores_the_names_of_speaker_labels(self):
        said = [("D", "a"), ("P", "b"), ("D", "c"), ("P", "d")]
        heard = [("B", "a"), ("A", "b"), ("B", "c"), ("B", "d")]
        assert compare(said, heard).speaker_accuracy == 0.75


def wav(*, samples: int) -> bytes:
    """Return silence as WAV: 16 bit, mono, 16 kHz."""
    size = 2 * samples
    head = b"RIFF" + (36 + size).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    form = (1, 2), (1, 2), (16_000, 4), (32_000, 4), (2, 2), (16, 2)
    fields = b"".join(value.to_bytes(width, "little") for value, width in form)
    return head + fields + b"data" + size.to_bytes(4, "little") + bytes(size)
