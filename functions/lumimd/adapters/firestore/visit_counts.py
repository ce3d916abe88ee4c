"""The numbers of documents on Cloud Firestore, by aggregation: one read per number."""

from datetime import datetime
from typing import Any

from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter

from lumimd.adapters.firestore.calls import called
from lumimd.domain.dead_letter import LetterState
from lumimd.domain.paths import DEAD_LETTERS, VISITS
from lumimd.domain.visit import ProcessingStatus


class FirestoreVisitCounts:
    """Aggregation queries do not read the documents."""

    def __init__(self, client: firestore.AsyncClient) -> None:
        self._client = client

    async def visits(self, status: ProcessingStatus) -> int:
        """The number of visits in this status."""
        visits = self._client.collection(VISITS)
        return await _number_of(visits.where(filter=FieldFilter("processingStatus", "==", status)))

    async def open_dead_letters(self, last_seen_before: datetime) -> int:
        """The number of open dead letters last seen before then."""
        letters = self._client.collection(DEAD_LETTERS)
        return await _number_of(
            letters.where(filter=FieldFilter("state", "==", LetterState.OPEN)).where(
                filter=FieldFilter("lastSeenAt", "<=", last_seen_before)
            )
        )


async def _number_of(query: Any) -> int:
    ((result,),) = await called(lambda: query.count().get(retry=None))
    return int(result.value)
