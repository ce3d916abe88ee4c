"""Checks that a deleted visit leaves only a deletion receipt, and that its counts are right."""

from collections import Counter
from typing import Any

from lumimd.domain.visit import Visit
from tests.simulation.cloud import Cloud
from tests.simulation.phones import folder_of
from tests.simulation.world import World


class Erasure:
    """Watches the deletions of one simulation run (world)."""

    def __init__(self, world: World, cloud: Cloud) -> None:
        self._world, self._cloud = world, cloud
        self._there: dict[str, Counter[str]] = {}
        self._stored_jobs: dict[str, str] = {}
        self._before: dict[str, frozenset[int]] = {}
        world.on_deletion.append(self._at_deletion)

    def _at_deletion(self, visit: Visit) -> None:
        documents, visit_id = self._world.documents, visit.visit_id
        self._world.note("store", visit_id, "DELETED", visit)
        if visit.legal_hold:
            self._world.breach("deletedUnderHold", visit_id)
        job = visit.transcription
        if job is not None and job.completed_at is not None:
            self._stored_jobs[visit_id] = job.transcript_id
        reported = (*self._cloud.bucket.erased, *self._cloud.transcriptions.erased)
        self._before[visit_id] = frozenset(id(erased) for erased in reported)
        self._there[visit_id] = Counter(
            visits=1,
            history=len(documents.entries.get(visit_id, {})),
            transcript=len(documents.pages.get(visit_id, {})),
            actions=len(documents.actions_of(visit_id)),
            deadLetters=int(f"deadLetters/{visit_id}" in documents.others),
        )

    def at_the_end(self) -> None:
        """Check that every deletion is complete and its deletion receipt counts everything."""
        for visit_id, there in self._there.items():
            traces = {kind: found for kind, found in self._traces(visit_id).items() if found}
            if traces:
                self._world.breach("deletedIsThere", visit_id, str(traces))
            receipt, _ = self._world.documents.receipts[visit_id]
            if receipt.completed_at is None or receipt.wake_at or receipt.transcript_ids:
                self._world.breach("deletionUnfinished", visit_id, str(receipt.wake_at))
            missing = (there + self._erased(visit_id)) - Counter(receipt.counts)
            if missing:
                self._world.breach("deletionMiscounted", visit_id, str(dict(missing)))

    def _erased(self, visit_id: str) -> Counter[str]:
        """Return the counts of deleted recordings and jobs that the deletion receipt must have.

        The provider's copies of a stored transcript and of an earlier recording are deleted at
        once; the deletion receipt does not count these copies.
        """
        folder, counts = folder_of(visit_id), Counter[str]()
        for kind, reported in (
            ("recordings", self._cloud.bucket.erased),
            ("providerCopies", self._cloud.transcriptions.erased),
        ):
            for erased in reported:
                if erased.folder != folder or erased.invocation.kind != "wake":
                    continue
                if id(erased) in self._before[visit_id]:
                    continue
                if not erased.name or erased.name != self._stored_jobs.get(visit_id):
                    counts[kind] += erased.number * erased.is_certain(visit_id)
        return counts

    def _traces(self, visit_id: str) -> dict[str, Any]:
        documents, folder = self._world.documents, folder_of(visit_id)
        return {
            "visits": visit_id in documents.visits,
            "transcript": len(documents.pages.get(visit_id, {})),
            "history": len(documents.entries.get(visit_id, {})),
            "actions": len(documents.actions_of(visit_id)),
            "deadLetters": documents.others.get(f"deadLetters/{visit_id}"),
            "recordings": self._cloud.bucket.below(folder),
            "providerCopies": [
                job.transcript_id for job in self._cloud.transcriptions.below(folder)
            ],
        }
