"""The tiers of users, on Cloud Firestore: `users/{uid}.tier`."""

from google.cloud import firestore

from lumimd.adapters.firestore.calls import called
from lumimd.domain.paths import USERS
from lumimd.policies.tiers import Tier


class FirestoreTiers:
    """Read at each call, so that a change applies from the next call."""

    def __init__(self, client: firestore.AsyncClient, default: Tier) -> None:
        self._client = client
        self._default = default

    async def of(self, user_id: str) -> Tier:
        """The tier of the user; the default if none is stored. One read."""
        reference = self._client.document(f"{USERS}/{user_id}")
        snapshot = await called(lambda: reference.get(field_paths=["tier"], retry=None))
        return Tier.named((snapshot.to_dict() or {}).get("tier"), self._default)
