"""Scripts, which tests send by POST /_local/scripts, set the behaviour of this server.

A script applies to a job when the job's audio_url or webhook_url contains the script's `match`. The
script then decides the job, and the script's `http` faults decide requests about the job. The
server takes the first matching script that is not used up, so "fail once, then succeed" needs two
scripts in that order.
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
    """One utterance, with times in ms; lines without times follow at the pace of a conversation."""

    speaker: str = "A"
    text: Annotated[str, Field(min_length=1)]
    start: NonNegativeInt | None = None
    end: NonNegativeInt | None = None
    confidence: Share = 0.95


class HttpFault(_Strict):
    """The server responds to the next `times` requests of a route with `status`.

    With `after_work` the request takes effect and only its response is lost, as when the connection
    breaks after a submission was accepted. `delay_s` delays the response.
    """

    route: Route
    status: Annotated[int, Field(ge=400, le=599)] = 500
    times: PositiveInt = 1
    retry_after_s: PositiveInt | None = None
    after_work: bool = False
    delay_s: NonNegativeFloat = 0.0


class Script(_Strict):
    """The body of POST /_local/scripts. An empty `match` matches every job.

    `seconds` is the length of the audio; by default it is the end of the last utterance, or 60 for
    silence. `times` is the number of jobs that the script decides, by default without a limit.
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
        """False for a script that has only faults, so that other scripts decide the jobs."""
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
        """Return the script of a job, or DEFAULT if no script was assigned."""
        return self._plans.get(job_id, DEFAULT)

    def take_fault(self, route: Route, urls: Iterable[str] | None) -> HttpFault | None:
        """Return the fault for this request, if any, and count it as used.

        If `urls` is None (the list of jobs), the faults of every script apply.
        """
        candidates = None if urls is None else tuple(urls)
        for entry in self._registered:
            if candidates is not None and not entry.script.matches(candidates):
                continue
            for place, fault in enumerate(entry.script.http):
                if fault.route == route and entry.faults_left[place] > 0:
                    entry.faults_left[place] -= 1
                    return fault
        return None
