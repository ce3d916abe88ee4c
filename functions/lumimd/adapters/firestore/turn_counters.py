"""The flows of the fair queue on Cloud Firestore: `ops/turns/flows/{priority}-{uid}`."""

from datetime import datetime

from google.cloud import firestore

from lumimd.adapters.firestore.calls import called
from lumimd.domain.paths import TURN_COUNTERS
from lumimd.policies.priorities import Priority


class FirestoreTurnCounters:
    """Draws a turn by two transforms in one commit: without a read, no caller can lose a race."""

    def __init__(self, client: firestore.AsyncClient) -> None:
        self._client = client

    async def draw(self, user_id: str, priority: Priority, after: int, expires_at: datetime) -> int:
        """One more than the flow's last turn and than `after`. Two writes."""
        flow = self._flow(user_id, priority)

        async def drawn() -> int:
            batch = self._client.batch()
            batch.set(flow, {"last": firestore.Maximum(after)}, merge=True)
            drawn = {"last": firestore.Increment(1), "expiresAt": expires_at}
            batch.set(flow, drawn, merge=True)
            *_, result = await batch.commit(retry=None)
            return int(result.transform_results[0].integer_value)

        return await called(drawn)

    async def forget(self, user_id: str) -> None:
        """Delete the flows of a user. One write per priority."""
        batch = self._client.batch()
        for priority in Priority:
            batch.delete(self._flow(user_id, priority))
        await called(lambda: batch.commit(retry=None))

    def _flow(self, user_id: str, priority: Priority) -> firestore.AsyncDocumentReference:
        return self._client.document(f"{TURN_COUNTERS}/{priority}-{user_id}")
