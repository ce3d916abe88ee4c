"""What users have subscribed to, on Cloud Firestore: `users/{uid}.tier`."""

from google.cloud import firestore

from lumimd.adapters.firestore.calls import called
from lumimd.policies.tiers import Tier


class FirestoreTiers:
    """Read at each call, so that a change counts from the next one."""

    def __init__(self, client: firestore.AsyncClient, default: Tier) -> None:
        self._client = client
        self._default = default

    async def of(self, user_id: str) -> Tier:
        """The tier of the user; the default when nothing is known. One read."""
        reference = self._client.document(f"users/{user_id}")
        snapshot = await called(lambda: reference.get(field_paths=["tier"], retry=None))
        return Tier.named((snapshot.to_dict() or {}).get("tier"), self._default)
