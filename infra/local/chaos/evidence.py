"""Reads the evidence of a run: stored documents, and transcripts that the speech server served."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import httpx
from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter

from infra.local.stack import PROJECT
from lumimd.domain.transcript import TranscriptPage
from lumimd.domain.visit import Action, HistoryEntry, ProcessingStatus, Visit

T = TypeVar("T")

ENDED: Final = [status.value for status in ProcessingStatus if status.is_terminal]
JOBS_END_WITHIN_S: Final = 30
"""Longer than the longest scripted job, so that jobs that the pipeline forgot are on the bill."""
STILL_WITHIN_S: Final = 60
"""The time limit for a reading during which no stored visit changes."""

_VISIT_OF: Final = re.compile(r"/visits/[^/]+/([^/]+)/")


@dataclass(frozen=True)
class Heard:
    """One utterance as the speech server serves it."""

    speaker: str
    start_ms: int
    end_ms: int
    text: str
    confidence: float


@dataclass(frozen=True)
class Job:
    """A job on the provider's bill; `heard` is empty if the job did not complete."""

    job_id: str
    charged: bool
    heard: tuple[Heard, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """All evidence by visit id; stray documents, without an uploaded visit, are included."""

    visits: Mapping[str, Visit]
    pages: Mapping[str, Sequence[TranscriptPage]]
    history: Mapping[str, Sequence[HistoryEntry]]
    actions: Mapping[str, Sequence[Action]]
    jobs: Mapping[str, Sequence[Job]]


class EvidenceReader:
    """Reads the emulator and the speech server directly, without the product's adapters."""

    def __init__(self, speech: httpx.AsyncClient) -> None:
        self._speech = speech
        self._firestore = firestore.AsyncClient(project=PROJECT)

    async def ended(self) -> int:
        """The number of visits in a terminal status."""
        ended = FieldFilter("processingStatus", "in", ENDED)
        query: Any = self._firestore.collection("visits").where(filter=ended)
        counted = await query.count().get()
        return int(counted[0][0].value)

    async def read(self) -> Evidence:
        """Wait until the speech server is idle, then read all evidence as of one moment."""
        jobs = await self._jobs()
        async with asyncio.timeout(STILL_WITHIN_S):
            while True:
                visits = await self._all(self._firestore.collection("visits"))
                pages = await self._all(self._firestore.collection_group("transcript"))
                history = await self._all(self._firestore.collection_group("history"))
                actions = await self._all(self._firestore.collection("actions"))
                # A visit that has not ended may change between two queries, so read it twice.
                again = await self._all(self._firestore.collection("visits"))
                if _versions(again) == _versions(visits):
                    break
        return Evidence(
            {each.id: Visit.from_stored(each.to_dict()) for each in visits},
            _grouped((_owner(each), TranscriptPage.from_stored(each.to_dict())) for each in pages),
            _grouped((_owner(each), HistoryEntry.from_stored(each.to_dict())) for each in history),
            _grouped(
                (action.visit_id, action)
                for action in (Action.from_stored(each.to_dict()) for each in actions)
            ),
            jobs,
        )

    def close(self) -> None:
        """Close the connection to the emulator."""
        close: Any = self._firestore.close
        close()

    async def _all(self, query: Any) -> list[Any]:
        found: list[Any] = await query.get()
        return found

    async def _jobs(self) -> dict[str, list[Job]]:
        jobs = []
        for line in await self._bill():
            named = _VISIT_OF.search(line["audio_url"])
            heard = await self._heard(line["id"]) if line["status"] == "completed" else ()
            job = Job(line["id"], line["charged"], heard)
            jobs.append((named[1] if named else line["audio_url"], job))
        return _grouped(jobs)

    async def _bill(self) -> list[dict[str, Any]]:
        async with asyncio.timeout(JOBS_END_WITHIN_S):
            while True:
                answer = (await self._speech.get("/_local/bill")).raise_for_status()
                lines: list[dict[str, Any]] = answer.json()["jobs"]
                if all(line["status"] in ("completed", "error") for line in lines):
                    return lines
                await asyncio.sleep(0.2)  # the server has no event to wait for

    async def _heard(self, job_id: str) -> tuple[Heard, ...]:
        # The provider's own route cannot be used, because the pipeline deletes the provider's
        # copy of a transcript once the transcript is stored.
        answer = await self._speech.get(f"/_local/jobs/{job_id}/heard")
        return tuple(
            Heard(
                speaker=each["speaker"],
                start_ms=each["start"],
                end_ms=each["end"],
                text=each["text"],
                confidence=each["confidence"],
            )
            for each in answer.raise_for_status().json()["utterances"]
        )


def _grouped(named: Iterable[tuple[str, T]]) -> dict[str, list[T]]:
    groups: dict[str, list[T]] = defaultdict(list)
    for name, each in named:
        groups[name].append(each)
    return dict(groups)


def _versions(visits: list[Any]) -> dict[str, Any]:
    return {each.id: each.update_time for each in visits}


def _owner(found: Any) -> str:
    """Return the id of the visit to which the document belongs."""
    return str(found.reference.parent.parent.id)
