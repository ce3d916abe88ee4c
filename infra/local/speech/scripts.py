"""Scripts: behaviour of this server that tests set by POST /_local/scripts.

A script applies to a job when the job's audio_url or webhook_url contains its `match`: the script
decides the job, and its `http` faults decide requests about the job. The server takes the first
matching script that is not used up, so "fail once, then succeed" is two scripts in that order.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, PositiveInt

Route = Literal["submit", "get", "list", "delete", "upload"]
Share = Annotated[float, Field(ge=0, le=1)]


class _Strict(BaseModel):
    # A misspelt field must fail the test instead of having no effect.
    model_config = ConfigDict(extra="forbid")


class SpokenLine(_Strict):
    """One utterance. Times in ms; without them the lines follow each other at a natural pace."""

    speaker: str = "A"
    text: Annotated[str, Field(min_length=1)]
    start: NonNegativeInt | None = None
    end: NonNegativeInt | None = None
    confidence: Share = 0.95


class HttpFault(_Strict):
    """The server answers the next `times` requests of a route with `status`.

    after_work: the request takes effect and only its answer is lost, as when the connection breaks
    after a submission was accepted. delay_s: the delay of the answer.
    """

    route: Route
    status: Annotated[int, Field(ge=400, le=599)] = 500
    times: PositiveInt = 1
    retry_after_s: PositiveInt | None = None
    after_work: bool = False
    delay_s: NonNegativeFloat = 0.0


class Script(_Strict):
    """The body of POST /_local/scripts. An empty `match` matches every job.

    `seconds` is the length of the audio; by default the end of the last utterance (60 for silence).
    `times` is the number of jobs that the script decides; without it there is no limit.
    """

    match: str = ""
    delay_s: NonNegativeFloat | None = None
    utterances: list[SpokenLine] | None = None
    hours: Annotated[float, Field(gt=0, le=24)] | None = None
    error: str | None = None
    silence: bool = False
    seconds: PositiveInt | None = None
    webhook: bool = True
    webhook_copies: PositiveInt = 1
    http: list[HttpFault] = []
    times: PositiveInt | None = None

    def matches(self, urls: Iterable[str]) -> bool:
        return any(self.match in url for url in urls)

    @property
    def decides_jobs(self) -> bool:
        """False for a script with only faults: it leaves the jobs to other scripts."""
        return bool(self.model_fields_set - {"match", "http", "times"})

    @property
    def decides_speech(self) -> bool:
        return bool(
            self.model_fields_set
            & {"delay_s", "utterances", "hours", "error", "silence", "seconds"}
        )


DEFAULT = Script()


@dataclass(slots=True)
class _Registered:
    script: Script
    jobs_left: float
    faults_left: list[int]


class Scripts:
    """The registered scripts and the plan of each job."""

    def __init__(self) -> None:
        self._registered: list[_Registered] = []
        self._plans: dict[str, Script] = {}

    def add(self, script: Script) -> None:
        left = float("inf") if script.times is None else script.times
        faults = [fault.times for fault in script.http]
        self._registered.append(_Registered(script, left, faults))

    def clear(self) -> None:
        self._registered.clear()
        self._plans.clear()

    def assign(self, job_id: str, urls: Iterable[str]) -> None:
        """Choose the script of a new job and count it as used."""
        urls = tuple(urls)
        for entry in self._registered:
            script = entry.script
            if script.decides_jobs and entry.jobs_left > 0 and script.matches(urls):
                entry.jobs_left -= 1
                self._plans[job_id] = script
                return

    def plan(self, job_id: str) -> Script:
        """The script of a job; DEFAULT when none was assigned."""
        return self._plans.get(job_id, DEFAULT)

    def take_fault(self, route: Route, urls: Iterable[str] | None) -> HttpFault | None:
        """The fault of this request, counted as used. `urls` None (the list): any script."""
        candidates = None if urls is None else tuple(urls)
        for entry in self._registered:
            if candidates is not None and not entry.script.matches(candidates):
                continue
            for place, fault in enumerate(entry.script.http):
                if fault.route == route and entry.faults_left[place] > 0:
                    entry.faults_left[place] -= 1
                    return fault
        return None
