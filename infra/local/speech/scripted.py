"""A stub recognizer for scripted mode: returns scripted speech, for tests and load."""

import asyncio
import dataclasses
from collections.abc import Mapping
from typing import Any

from infra.local.speech.dialogue import VISIT, long_visit, spoken
from infra.local.speech.fetch import AudioFetcher
from infra.local.speech.recognition import Recognition, RecognitionFailed, Utterance
from infra.local.speech.scripts import Script, Scripts

MODEL = "scripted"
SILENCE_SECONDS = 60


class ScriptedRecognizer:
    """Returns the speech of the job's script, or the built-in visit if the job has no script.

    Without a `fetcher` the recognizer does not read the audio. With a `fetcher` it reads the first
    byte, so that an unreachable URL fails the job as at the real service.
    """

    def __init__(self, scripts: Scripts, fetcher: AudioFetcher | None, *, delay_s: float) -> None:
        self._scripts = scripts
        self._fetcher = fetcher
        self._delay_s = delay_s

    async def recognize(self, params: Mapping[str, Any], job_id: str) -> Recognition:
        script = self._scripts.plan(job_id)
        if self._fetcher is not None:
            await self._fetcher.probe(str(params["audio_url"]))
        await asyncio.sleep(self._delay_s if script.delay_s is None else script.delay_s)
        if script.error is not None:
            raise RecognitionFailed(script.error)
        return outcome(script, params)


def outcome(script: Script, params: Mapping[str, Any]) -> Recognition:
    """Build the recognition of a submission from a script without an error. Pure."""
    utterances = _utterances(script)
    last_ms = utterances[-1].end if utterances else SILENCE_SECONDS * 1000
    seconds = script.seconds or max(1, round(last_ms / 1000))
    labels = bool(params.get("speaker_labels"))
    if not labels:
        utterances = tuple(_anonymous(each) for each in utterances)
    detect = bool(params.get("language_detection"))
    return Recognition(
        model=MODEL,
        seconds=seconds,
        words=tuple(word for each in utterances for word in each.words),
        utterances=utterances if labels else None,
        speech_share=0.9 if utterances else 0.0,
        language_code="en" if detect else str(params.get("language_code", "en_us")),
        language_confidence=0.99 if detect else None,
    )


def _utterances(script: Script) -> tuple[Utterance, ...]:
    if script.silence:
        return ()
    if script.hours is not None:
        return spoken(long_visit(script.hours))
    return spoken(VISIT if script.utterances is None else script.utterances)


def _anonymous(utterance: Utterance) -> Utterance:
    words = tuple(word._replace(speaker=None) for word in utterance.words)
    return dataclasses.replace(utterance, words=words)
