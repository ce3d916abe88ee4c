"""Runs jobs: a job is queued, processing, then completed or error; then its webhook is sent."""

import asyncio
import logging
import traceback
from collections.abc import Mapping
from typing import Any

from infra.local.speech.jobs import Job
from infra.local.speech.recognition import Recognition, RecognitionFailed, Recognizer
from infra.local.speech.scripts import Scripts
from infra.local.speech.webhooks import Webhooks

log = logging.getLogger(__name__)

SERVER_ERROR = "Server error, developers have been alerted."


class JobQueue:
    """Runs jobs in order of submission, at most `concurrency` at a time."""

    def __init__(
        self, recognizer: Recognizer, webhooks: Webhooks, scripts: Scripts, *, concurrency: int
    ) -> None:
        self._recognizer = recognizer
        self._webhooks = webhooks
        self._scripts = scripts
        self._permits = asyncio.Semaphore(concurrency)
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, job: Job) -> None:
        """Start the job in the background, and return immediately."""
        task = asyncio.create_task(self._run(job), name=job.id)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    async def idle(self) -> None:
        """Wait until every job is over and every webhook is delivered or given up."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    async def stop(self) -> None:
        """Cancel the running jobs and the undelivered webhooks."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, job: Job) -> None:
        async with self._permits:
            job.status = "processing"
            try:
                recognition = await self._recognizer.recognize(job.params, job.id)
                check_thresholds(job.params, recognition)
            except RecognitionFailed as failure:
                job.fail(str(failure))
            except Exception:
                # The job must fail, or the client would wait forever. The log shows the bug.
                job.fail(SERVER_ERROR)
                raise
            else:
                job.complete(recognition)
            log.info("job id=%s status=%s", job.id, job.status)
        plan = self._scripts.plan(job.id)
        if plan.webhook:
            await self._webhooks.notify(job, copies=plan.webhook_copies)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Only the place and the class are logged, because the message could quote a transcript.
            where = "".join(traceback.format_tb(error.__traceback__))
            log.error("job id=%s bug %s\n%s", task.get_name(), type(error).__name__, where)


def check_thresholds(params: Mapping[str, Any], recognition: Recognition) -> None:
    """Raise RecognitionFailed if the audio misses a threshold of the submission.

    Both messages have AssemblyAI's wording. According to AssemblyAI's documentation the share of
    speech is reliable from 30 seconds of audio; this function also checks shorter files.
    """
    wanted = params.get("speech_threshold")
    if wanted and recognition.speech_share < wanted:
        raise RecognitionFailed(
            f"Audio speech threshold {round(recognition.speech_share, 4)} is below the "
            f"requested speech threshold value {float(wanted)}"
        )
    floor = params.get("language_confidence_threshold")
    confidence = recognition.language_confidence
    if floor and confidence is not None and confidence < floor:
        raise RecognitionFailed(
            f"detected language '{recognition.language_code}', confidence {confidence}, is below "
            f"the requested confidence threshold value of '{float(floor)}'"
        )
