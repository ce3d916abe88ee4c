"""The default visit of scripted mode, and dialogues of any length made from it.

Everything is synthetic. The visit has a medication started, one stopped, one with a new dose, a
diagnosis, imaging, a follow-up and things for the patient to do.
"""

from collections.abc import Iterable, Iterator

from infra.local.speech.recognition import Utterance, Word
from infra.local.speech.scripts import SpokenLine

MS_PER_WORD = 380  # about 158 words a minute, an ordinary pace of conversation
PAUSE_MS = 450

VISIT: tuple[SpokenLine, ...] = tuple(
    SpokenLine(speaker=speaker, text=text)
    for speaker, text in (
        ("A", "Good morning, come in and have a seat. What brings you in today?"),
        (
            "B",
            "I have had a burning feeling in my chest after meals for about three weeks. "
            "It is worse when I lie down at night.",
        ),
        ("A", "Any trouble swallowing, weight loss, or shortness of breath?"),
        ("B", "No, nothing like that. I have been taking ibuprofen every day for my knee, though."),
        (
            "A",
            "Your blood pressure is 152 over 94, and it was high at your last visit as well. "
            "You have acid reflux, and you also have high blood pressure that is not controlled.",
        ),
        ("B", "Okay. What should I do about it?"),
        (
            "A",
            "I want you to stop taking ibuprofen, because it irritates the stomach and raises "
            "blood pressure. Please start omeprazole 20 milligrams once a day before breakfast.",
        ),
        ("B", "And the lisinopril, do I keep taking that?"),
        (
            "A",
            "Yes, but we will increase the lisinopril from 10 milligrams to 20 milligrams "
            "once a day.",
        ),
        (
            "A",
            "I am also ordering a chest x-ray to be safe. Avoid coffee and late meals, and check "
            "your blood pressure at home every morning and write it down.",
        ),
        ("B", "All right. When should I come back?"),
        (
            "A",
            "Come back and see me in four weeks. Call us sooner if you have chest pain or "
            "trouble breathing.",
        ),
    )
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
