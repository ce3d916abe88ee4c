"""Plans a run's visits, and the provider's faults for each visit: pure, decided by the seed."""

import io
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from infra.local.client import USER_ID
from infra.local.speech.dialogue import VISIT
from infra.local.speech.scripts import HttpFault, Script, SpokenLine

# The share of visits with each kind of fault; a visit may have several faults.
LOST_WEBHOOK: Final = 0.15
REPEATED_WEBHOOK: Final = 0.05
LOST_ANSWER: Final = 0.05  # the provider accepts the order (paid job), but its response is lost
# The share of LOST_ANSWER without a webhook: only the provider's list prevents a second charge.
LOST_ANSWER_AND_WEBHOOK: Final = 0.5
REFUSED_ORDER: Final = 0.05
REFUSED_FETCH: Final = 0.10

JOB_S: Final = (0.2, 8.0)
"""The range of a job's duration, long enough that some kills happen while a paid job runs."""

RATE: Final = 16_000


@dataclass(frozen=True)
class Recording:
    """A recording to upload for one visit; `script` decides the speech server's responses."""

    visit_id: str
    script: Script

    @property
    def object_name(self) -> str:
        """The name of the object in the bucket."""
        return f"visits/{USER_ID}/{self.visit_id}/audio.wav"


def recordings(visits: int, rng: Random) -> tuple[Recording, ...]:
    """Plan good recordings with transient faults only, so that each visit can complete."""
    return tuple(_recording(number, rng) for number in range(1, visits + 1))


def _recording(number: int, rng: Random) -> Recording:
    visit_id = f"chaos-{number:05}"
    faults = []
    lost_webhook = LOST_WEBHOOK
    if rng.random() < LOST_ANSWER:
        lost_webhook = LOST_ANSWER_AND_WEBHOOK
        faults.append(HttpFault(route="submit", status=500, after_work=True))
    elif rng.random() < REFUSED_ORDER:
        faults.append(HttpFault(route="submit", status=500))
    if rng.random() < REFUSED_FETCH:
        faults.append(HttpFault(route="get", status=500, times=rng.choice((1, 2))))
    script = Script(
        match=f"/{visit_id}/",
        delay_s=rng.uniform(*JOB_S),
        webhook=rng.random() >= lost_webhook,
        webhook_copies=2 if rng.random() < REPEATED_WEBHOOK else 1,
        http=faults,
    )
    if number % 2:
        return Recording(visit_id, script)
    # The recording has its own words and length, so that the verdict notices a transcript in the
    # wrong visit.
    own = {"utterances": _dialogue(number, rng), "seconds": 60 + number}
    return Recording(visit_id, script.model_copy(update=own))


def _dialogue(number: int, rng: Random) -> list[SpokenLine]:
    chosen: Sequence[int] = sorted(rng.sample(range(len(VISIT)), k=len(VISIT) // 2))
    last = SpokenLine(speaker="A", text=f"Please come back in {number} days.")
    return [*(VISIT[place] for place in chosen), last]


def silence(seconds: float) -> bytes:
    """Return a silent WAV file; the pipeline measures it, the speech server reads one byte."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(bytes(2 * round(seconds * RATE)))
    return content.getvalue()
