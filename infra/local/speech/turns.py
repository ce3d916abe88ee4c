"""Utterances from words: runs of one speaker, cut at a sentence end before a long pause."""

import dataclasses
from collections.abc import Sequence

from infra.local.speech.recognition import Utterance, Word
from infra.local.speech.speakers import ends_sentence

LONG_PAUSE_MS = 1500


def utterances(words: Sequence[Word], speakers: Sequence[int]) -> tuple[Utterance, ...]:
    """One speaker number a word (0 is "A"). The words of the result carry their speaker."""
    named = [
        dataclasses.replace(word, speaker=chr(ord("A") + speaker))
        for word, speaker in zip(words, speakers, strict=True)
    ]
    runs: list[list[Word]] = []
    for word in named:
        if runs and _continues(runs[-1][-1], word):
            runs[-1].append(word)
        else:
            runs.append([word])
    return tuple(Utterance(run[0].speaker or "A", tuple(run)) for run in runs)


def _continues(before: Word, after: Word) -> bool:
    if before.speaker != after.speaker:
        return False
    pause = after.start - before.end
    return pause < LONG_PAUSE_MS or not ends_sentence(before)
