"""The circuit breakers on Cloud Firestore: `ops/breaker-{name}`."""

from google.cloud import firestore

from lumimd.adapters.firestore.calls import called
from lumimd.adapters.reading import read
from lumimd.domain.paths import OPS
from lumimd.policies.breaker import Breaker


class FirestoreBreakerStore:
    """A version is the instant of the last write; the next write has it as its precondition."""

    def __init__(self, client: firestore.AsyncClient) -> None:
        self._client = client

    async def get(self, name: str) -> tuple[Breaker, object] | None:
        """The breaker and its version, or None. One read."""
        reference = self._client.document(f"{OPS}/breaker-{name}")
        snapshot = await called(lambda: reference.get(retry=None))
        stored = snapshot.to_dict()
        if not stored:
            return None
        return read(Breaker, OPS, f"breaker-{name}", stored), snapshot.update_time

    async def save(self, read_version: object | None, breaker: Breaker) -> object:
        """Write a breaker by compare-and-set; raises Conflict if it has changed."""
        reference = self._client.document(f"{OPS}/breaker-{breaker.name}")
        batch = self._client.batch()
        if read_version is None:
            batch.create(reference, breaker.to_stored())
        else:
            unchanged = self._client.write_option(last_update_time=read_version)
            batch.update(reference, breaker.to_stored(), option=unchanged)
        results = await called(lambda: batch.commit(retry=None))
        return results[0].update_time
