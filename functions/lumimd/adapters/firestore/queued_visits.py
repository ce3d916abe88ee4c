"""The queued visits on Cloud Firestore: those that have a turn in the fair queue."""

from collections.abc import Sequence
from typing import Any

from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter

from lumimd.adapters.firestore.calls import called
from lumimd.adapters.firestore.queries import Listing
from lumimd.adapters.firestore.visit_store import stored
from lumimd.domain.commit import Stored
from lumimd.domain.paths import VISITS, visit_path
from lumimd.domain.visit import Visit


class FirestoreQueuedVisits:
    """Queries by one field, which Firestore indexes automatically."""

    def __init__(self, client: firestore.AsyncClient) -> None:
        self._client = client

    async def waiting(self, first_turn: int, before: int, limit: int) -> Sequence[Stored]:
        """Visits in order of their turns. One read per visit, and at least one."""
        line = Listing(Visit, VISITS, self._between(first_turn, before), "turn", stored)
        return (await line.filled(limit)).items

    async def before(self, first_turn: int, turn: int, visit_id: str) -> int:
        """The number of visits ahead of this one. One read per thousand, and at least one."""
        this = self._client.document(visit_path(visit_id))
        line = self._between(first_turn, turn + 1).order_by("turn").order_by("__name__")
        query = line.end_before({"turn": turn, "__name__": this})
        ((result,),) = await called(lambda: query.count().get(retry=None))
        return int(result.value)

    def _between(self, first_turn: int, before: int) -> Any:
        return (
            self._client.collection(VISITS)
            .where(filter=FieldFilter("turn", ">=", first_turn))
            .where(filter=FieldFilter("turn", "<", before))
        )
