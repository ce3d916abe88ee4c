"""The default visit of scripted mode, and dialogues of any length made from it.

Everything is synthetic. The visit has a medication started, one stopped, one with a new dose, a
diagnosis, imaging, a follow-up and things for the patient to do.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from infra.local.speech.recognition import Utterance, Word
from infra.local.speech.scripts import SpokenLine

MS_PER_WORD = 380  # about 158 words a minute, an ordinary pace of conversation
PAUSE_MS = 450

VISIT: tuple[SpokenLine, ...] = tuple(
    SpokenLine(speaker=speaker, text=text)
    for line in Path(__file__).with_name("visit.txt").read_text(encoding="utf-8").splitlines()
    for speaker, text in [line.split(": ", 1)]
)


def spoken(lines: Iterable[SpokenLine]) -> tuple[Utterance, ...]:
    """Utterances with a time for each word; lines without times follow the line before."""
    utterances = []
    now = 0
    for line in lines:
        texts = line.text.split()
        start = now if line.start is None else line.start
        end = start + MS_PER_WORD * len(texts) if line.end is None else line.end
        utterances.append(Utterance(line.speaker, tuple(_timed(texts, start, end, line))))
        now = end + PAUSE_MS
    return tuple(utterances)


def long_visit(hours: float) -> list[SpokenLine]:
    """The visit repeated until `hours` are filled.

    Each line ends with its number, so that a test can detect a lost, doubled or misplaced line.
    """
    lines: list[SpokenLine] = []
    end, limit = 0, round(hours * 3_600_000)
    while True:
        for line in VISIT:
            text = f"{line.text} That was line {len(lines) + 1}."
            start = end + PAUSE_MS if lines else 0
            end = start + MS_PER_WORD * len(text.split())
            if end > limit:
                return lines
            lines.append(line.model_copy(update={"text": text, "start": start, "end": end}))


def _timed(texts: list[str], start: int, end: int, line: SpokenLine) -> Iterator[Word]:
    step = (end - start) / len(texts)
    for place, text in enumerate(texts):
        yield Word(
            text=text,
            start=round(start + step * place),
            end=round(start + step * (place + 1)),
            confidence=line.confidence,
            speaker=line.speaker,
        )
