"""The pipeline's parts in memory, and the pieces that tests make visits of."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from lumimd.adapters.memory import (
    ManualClock,
    MemoryAudioStore,
    MemoryTaskQueue,
    MemoryTranscriber,
    MemoryVisitStore,
)
from lumimd.adapters.rules_summarizer import RulesSummarizer
from lumimd.audio import Audio, Upload
from lumimd.clinical import Source, VisitSummary
from lumimd.transcript import Transcript, Utterance
from tests.support.summaries import summary_of

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
SAMPLE = Path(__file__).parents[2] / "samples" / "visit.m4a"


class CountingSummarizer:
    """Answers with a summary that cites the first utterance, and counts how often it is paid."""

    source: Source = "model"

    def __init__(self) -> None:
        self.calls = 0
        self.raises: list[Exception] = []

    async def summarize(self, transcript: Transcript) -> VisitSummary:
        self.calls += 1
        if self.raises:
            raise self.raises.pop(0)
        return summary_of(transcript)


@dataclass
class MemoryParts:
    """Everything in memory; the clock stands until a test moves it."""

    clock: ManualClock = field(default_factory=lambda: ManualClock(START))
    store: MemoryVisitStore = field(default_factory=MemoryVisitStore)
    tasks: MemoryTaskQueue = field(default_factory=MemoryTaskQueue)
    audio: MemoryAudioStore = field(default_factory=MemoryAudioStore)
    transcriber: MemoryTranscriber = field(default_factory=MemoryTranscriber)
    summarizer: CountingSummarizer = field(default_factory=CountingSummarizer)
    fallback: RulesSummarizer = field(default_factory=RulesSummarizer)
    _ids: count = field(default_factory=lambda: count(1))

    def new_id(self) -> str:
        return f"id-{next(self._ids)}"

    def upload(self, visit_id: str = "visit-1", generation: int = 1) -> Upload:
        """A recording of two seconds in the bucket, and the event that announces it."""
        uploaded = upload(visit_id, generation)
        self.audio.put(uploaded.audio, tone(seconds=2))
        return uploaded


def upload(visit_id: str = "visit-1", generation: int = 1, size_bytes: int = 64_044) -> Upload:
    audio = Audio(
        bucket="recordings",
        storage_path=f"visits/user-1/{visit_id}/audio.wav",
        generation=generation,
        content_type="audio/wav",
        size_bytes=size_bytes,
    )
    return Upload(user_id="user-1", visit_id=visit_id, audio=audio, announced_at=START)


def tone(seconds: float, rate: int = 16_000) -> bytes:
    """A WAV file of silence."""
    import io
    import wave

    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(b"\x00\x00" * int(seconds * rate))
    return content.getvalue()


DIALOGUE = (
    ("A", "Good morning, what brings you in today?"),
    ("B", "I have had a cough for two weeks, doctor."),
    ("A", "I am going to start you on amoxicillin, 500 milligrams, three times a day."),
    ("B", "Okay, thank you."),
)


def transcript(dialogue: Sequence[tuple[str, str]] = DIALOGUE) -> Transcript:
    """The dialogue as a provider would hand it over, two seconds an utterance."""
    return Transcript(
        utterances=tuple(
            Utterance(
                id=f"u{number}",
                speaker=speaker,
                start_ms=2_000 * number,
                end_ms=2_000 * number + 1_800,
                text=text,
                confidence=0.9,
            )
            for number, (speaker, text) in enumerate(dialogue, start=1)
        ),
        language_code="en",
        confidence=0.9,
        duration_seconds=2.0 * len(dialogue),
    )
