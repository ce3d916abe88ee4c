"""The default visit of scripted mode, and longer dialogues that repeat this visit.

Everything is synthetic. In the visit a medication is started, another medication is stopped, and
the dose of a third medication changes. The visit also has a diagnosis, imaging, a follow-up and
things for the patient to do.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from infra.local.speech.recognition import Utterance, Word
from infra.local.speech.scripts import SpokenLine

MS_PER_WORD = 380  # about 158 words a minute, as in ordinary conversation
PAUSE_MS = 450

VISIT: tuple[SpokenLine, ...] = tuple(
    SpokenLine(speaker=speaker, text=text)
    for line in Path(__file__).with_name("visit.txt").read_text(encoding="utf-8").splitlines()
    for speaker, text in [line.split(": ", 1)]
)


def spoken(lines: Iterable[SpokenLine]) -> tuple[Utterance, ...]:
    """Make utterances with a time for each word; a line without times follows the line before."""
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
    """Repeat the visit until `hours` are filled.

    Each line ends with its number, so that a test can detect lost, doubled and misplaced lines.
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
