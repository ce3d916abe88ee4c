"""Does real speech recognition: Whisper (faster-whisper) for words, then speaker labels."""

import asyncio
import os
import tempfile
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import av
import numpy as np
from faster_whisper import WhisperModel
from numpy.typing import NDArray

from infra.local.speech import speakers, weights
from infra.local.speech.decoding import samples_of
from infra.local.speech.fetch import AudioFetcher, not_audio
from infra.local.speech.mel import SAMPLE_RATE
from infra.local.speech.recognition import Recognition, RecognitionFailed, Utterance, Word
from infra.local.speech.voices import VoiceEncoder

MODEL = "whisper-base"
SHORTEST_S = 0.16


class Engine:
    """The loaded models, about 500 MB. A call uses all cores, so one call runs at a time."""

    def __init__(self, whisper: WhisperModel, encoder: VoiceEncoder) -> None:
        self._whisper = whisper
        self._encoder = encoder
        self._one_at_a_time = threading.Lock()

    @classmethod
    def load(cls) -> Self:
        """Load the models, which takes about two seconds. Raises WeightsError."""
        whisper = WhisperModel(
            str(weights.whisper_model()),
            device="cpu",
            compute_type="int8",
            cpu_threads=os.cpu_count() or 1,
        )
        return cls(whisper, VoiceEncoder.load(weights.voice_encoder()))

    def transcribe(
        self, file: Path, params: Mapping[str, Any], abandoned: threading.Event
    ) -> Recognition:
        """Transcribe a file; this blocks for about a twelfth of the audio's length on two cores.

        Once `abandoned` is set, the method stops early with a partial result. Raises
        RecognitionFailed for a file that is not audio, or is shorter than 160 ms.
        """
        audio = decode(file)
        if len(audio) < SHORTEST_S * SAMPLE_RATE:
            raise RecognitionFailed("Audio duration is too short.")
        seconds = max(1, round(len(audio) / SAMPLE_RATE))
        detect = bool(params.get("language_detection"))
        requested = str(params.get("language_code", "en_us"))
        with self._one_at_a_time:
            segments, info = self._whisper.transcribe(
                audio,
                # "en_us" and "pt_br" contain a region, which Whisper does not accept.
                language=None if detect else requested.split("_")[0],
                beam_size=1,
                vad_filter=True,
                word_timestamps=True,
                # A wrong sentence must not affect the recognition of the next half minute.
                condition_on_previous_text=False,
            )
            words: list[Word] = []
            if info.duration_after_vad > 0:
                for segment in segments:
                    if abandoned.is_set():
                        break
                    words += joined(segment.words or ())
            utterances: tuple[Utterance, ...] | None = None
            if params.get("speaker_labels"):
                numbers = speakers.label(
                    audio, words, self._encoder, params.get("speakers_expected")
                )
                utterances = speakers.utterances(words, numbers)
                words = [word for utterance in utterances for word in utterance.words]
        return Recognition(
            model=MODEL,
            seconds=seconds,
            words=tuple(words),
            utterances=utterances,
            speech_share=info.duration_after_vad / info.duration,
            language_code=info.language if detect else requested,
            language_confidence=round(info.language_probability, 4) if detect else None,
        )


class EngineRecognizer:
    """Downloads the audio and runs the engine in a thread."""

    def __init__(self, engine: Engine, fetcher: AudioFetcher) -> None:
        self._engine = engine
        self._fetcher = fetcher

    async def recognize(self, params: Mapping[str, Any], job_id: str) -> Recognition:
        with tempfile.TemporaryDirectory(prefix="lumimd-audio-") as folder:
            file = Path(folder) / job_id
            await self._fetcher.download(str(params["audio_url"]), file)
            abandoned = threading.Event()
            try:
                return await asyncio.to_thread(self._engine.transcribe, file, params, abandoned)
            finally:
                # A cancelled task leaves its thread running. Without this event the process could
                # end only after the transcription of a long recording.
                abandoned.set()


def decode(file: Path) -> NDArray[np.float32]:
    """Decode mono samples at 16 kHz in -1..1. Raises RecognitionFailed."""
    try:
        return samples_of(file, SAMPLE_RATE)
    except (av.FFmpegError, IndexError) as error:  # IndexError: no audio stream in the file
        with file.open("rb") as stream:
            raise RecognitionFailed(not_audio(stream.read(512))) from error


def joined(pieces: Iterable[Any]) -> list[Word]:
    """Join faster-whisper's pieces to words: without a leading space, a piece continues a word."""
    words: list[Word] = []
    for piece in pieces:
        text = piece.word
        start, end = round(piece.start * 1000), round(piece.end * 1000)
        confidence = round(min(1.0, max(0.0, piece.probability)), 4)
        if words and not text.startswith(" "):
            last = words.pop()
            text, start = last.text + text, last.start
            confidence = min(last.confidence, confidence)
        words.append(Word(text=text.strip(), start=start, end=end, confidence=confidence))
    return words
