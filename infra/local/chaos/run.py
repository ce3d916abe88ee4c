"""Runs one chaos test: uploads during kills, waits for the recovery, and reads the evidence.

`wakeAt` recovers interrupted work: a submission lease after 95 s, a task that the queue lost after
2 minutes, a summary lease after 195 s. Therefore the recovery may last longer than the kills.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Final

import httpx

from infra.local.chaos.evidence import Evidence, EvidenceReader
from infra.local.chaos.killer import PAUSE_S, Killer
from infra.local.chaos.recordings import Recording, recordings, silence
from infra.local.chaos.verdict import Verdict, judge
from infra.local.launcher import Say, Stack, running_stack
from infra.local.stack import Options

UPLOADS_AT_ONCE: Final = 8
FASTEST_UPLOADS_S: Final = 0.25
"""The shortest time between two uploads; faster uploads would leave no CPU time for the work."""

LOOK_EVERY_S: Final = 1.0


@dataclass(frozen=True)
class Settings:
    """`kills` is the smallest number of kills, `patience_s` the longest wait for the recovery."""

    visits: int = 300
    seed: int = 0
    kills: int = 50
    patience_s: float = 600.0
    webhook_retry_s: float = 10.0

    @property
    def upload_every_s(self) -> float:
        """The time between two uploads, such that uploads and kills end at about the same time."""
        killing_s = self.kills * sum(PAUSE_S) / 2
        return max(FASTEST_UPLOADS_S, killing_s / max(1, self.visits))


@dataclass
class Score:
    """The progress of the run."""

    visits: int
    uploaded_at: dict[str, datetime] = field(default_factory=dict)
    ended: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    all_ended: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True)
class Outcome:
    """The result of a run.

    `seconds` is the duration of the run, and `recovery_s` the part of it after the last kill.
    """

    settings: Settings
    recordings: Sequence[Recording]
    verdict: Verdict
    evidence: Evidence
    kills: Mapping[str, int]
    uploaded_at: Mapping[str, datetime]
    seconds: float
    recovery_s: float
    run_dir: Path


async def run(settings: Settings, watch: Callable[[Score], None], say: Say) -> Outcome:
    """Do a whole run; `watch` is called about once per second with the score.

    Raises:
        EmulatorMissing: the stack cannot run here.
        ProcessFailed: a process did not start, or ended without having been killed.
    """
    began = monotonic()
    rng = Random(settings.seed)
    planned = recordings(settings.visits, rng)
    score = Score(settings.visits)
    async with running_stack(_options(settings), _once(say)) as stack:
        killer = Killer(stack.processes, Random(rng.random()), stack.run_dir)
        score.kills = killer.kills
        async with httpx.AsyncClient(base_url=stack.plan.url("speech"), timeout=30) as speech:
            with closing(EvidenceReader(speech)) as reader:
                recovering_since = await stack.while_alive(
                    _kill_and_recover(stack, speech, settings, planned, killer, score),
                    _look(reader, score, watch),
                )
                recovery_s = monotonic() - recovering_since
                evidence = await reader.read()
        say("Stopping the stack")
    verdict = judge((each.visit_id for each in planned), evidence, datetime.now(UTC))
    return Outcome(
        settings,
        planned,
        verdict,
        evidence,
        dict(killer.kills),
        score.uploaded_at,
        monotonic() - began,
        recovery_s,
        stack.run_dir,
    )


def _options(settings: Settings) -> Options:
    # The key in the environment is left out, because a chaos run must cost nothing.
    env = {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"}
    return Options(scripted=True, webhook_retry_s=settings.webhook_retry_s, env=env)


def _once(say: Say) -> Say:
    """Wrap `say` so that it says each line once: a victim's restart needs no second line."""
    said: set[str] = set()

    def once(line: str) -> None:
        if line not in said:
            said.add(line)
            say(line)

    return once


async def _kill_and_recover(
    stack: Stack,
    speech: httpx.AsyncClient,
    settings: Settings,
    planned: Sequence[Recording],
    killer: Killer,
    score: Score,
) -> float:
    """Run until all visits have ended or `patience_s` has passed after the last kill.

    Returns the end of the kills, in seconds of the `monotonic()` clock.
    """
    uploading = asyncio.create_task(_upload(stack, speech, settings, planned, score))
    try:
        await killer.kill_until(lambda: uploading.done() and killer.kills.total() >= settings.kills)
        await uploading
    finally:
        uploading.cancel()
        await asyncio.gather(uploading, return_exceptions=True)
    over_at = monotonic()
    with suppress(TimeoutError):  # after a timeout the verdict names the stuck visits
        async with asyncio.timeout(settings.patience_s):
            await score.all_ended.wait()
    return over_at


async def _upload(
    stack: Stack,
    speech: httpx.AsyncClient,
    settings: Settings,
    planned: Sequence[Recording],
    score: Score,
) -> None:
    """Upload the recordings at a steady pace, slower when the bucket is slow."""
    gate = asyncio.Semaphore(UPLOADS_AT_ONCE)

    async def upload_one(recording: Recording, file: Path) -> None:
        async with gate:
            script = recording.script.model_dump(exclude_unset=True)
            (await speech.post("/_local/scripts", json=script)).raise_for_status()
            await stack.client.upload(file, recording.object_name)
        score.uploaded_at[recording.visit_id] = datetime.now(UTC)

    with TemporaryDirectory() as folder:
        file = Path(folder) / "audio.wav"
        file.write_bytes(silence(seconds=1))
        async with asyncio.TaskGroup() as uploads:
            for recording in planned:
                await gate.acquire()
                gate.release()
                uploads.create_task(upload_one(recording, file))
                await asyncio.sleep(settings.upload_every_s)


async def _look(reader: EvidenceReader, score: Score, watch: Callable[[Score], None]) -> None:
    while True:
        score.ended = await reader.ended()
        if score.ended >= score.visits:
            score.all_ended.set()
        watch(score)
        await asyncio.sleep(LOOK_EVERY_S)
