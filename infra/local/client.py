"""A client that acts like a phone: uploads a recording and listens to the visit's documents."""

import asyncio
import mimetypes
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore, storage  # type: ignore[attr-defined]  # storage has no types

from infra.local.stack import BUCKET, PROJECT
from infra.local.visit_documents import VisitDocuments
from lumimd.adapters.firestore.database import FirestoreDatabase
from lumimd.adapters.memory import MemoryVisitStore
from lumimd.domain.audio import CONSENT_METADATA
from lumimd.domain.visit import Visit
from lumimd.stores.visit_store import VisitStore

USER_ID: Final = "demo-user"
CHUNK_BYTES: Final = 1024 * 1024


class MemoryReader:
    """Reads visits from the store in the memory of this process."""

    def __init__(self, store: MemoryVisitStore) -> None:
        self.store: VisitStore = store
        self.watch = store.watch

    async def aclose(self) -> None:
        """Do nothing: there is no connection to close."""


class FirestoreReader:
    """Reads visits from the emulator (FIRESTORE_EMULATOR_HOST) and listens with the SDK."""

    def __init__(self) -> None:
        self._listener = firestore.Client(project=PROJECT)
        self._reader = firestore.AsyncClient(project=PROJECT)
        self.store: VisitStore = VisitStore(FirestoreDatabase(lambda: self._reader))

    async def watch(self, visit_id: str) -> AsyncIterator[Visit]:
        """Yield the current visit, and then the visit after every change."""
        loop = asyncio.get_running_loop()
        updates: asyncio.Queue[Visit] = asyncio.Queue()

        def on_snapshot(snapshots: Any, _changes: Any, _at: Any) -> None:  # in a thread of the SDK
            for snapshot in snapshots:
                if snapshot.exists:
                    visit = Visit.from_stored(snapshot.to_dict())
                    loop.call_soon_threadsafe(updates.put_nowait, visit)

        watch = self._listener.document(f"visits/{visit_id}").on_snapshot(on_snapshot)
        try:
            while True:
                yield await updates.get()
        finally:
            await asyncio.to_thread(watch.unsubscribe)

    async def aclose(self) -> None:
        """Close the listener and the connections."""
        for sdk in (self._listener, self._reader):
            close: Callable[[], None] = sdk.close
            close()


class Client:
    """A client of the local stack."""

    def __init__(self, storage_url: str, reader: MemoryReader | FirestoreReader) -> None:
        anonymous: Any = AnonymousCredentials
        sdk = storage.Client(
            project=PROJECT,
            credentials=anonymous(),
            client_options={"api_endpoint": storage_url},
        )
        self._bucket = sdk.bucket(BUCKET)
        self._reader = reader

    async def upload(self, recording: Path, object_name: str) -> None:
        """Upload the file in chunks, as a phone with a weak connection would."""
        blob = self._bucket.blob(object_name, chunk_size=CHUNK_BYTES)
        blob.metadata = {CONSENT_METADATA: "given"}
        content_type = mimetypes.guess_type(recording.name)[0] or "application/octet-stream"
        await asyncio.to_thread(
            blob.upload_from_filename, str(recording), content_type=content_type
        )

    def watch(self, visit_id: str) -> AsyncIterator[Visit]:
        """Yield the current visit, and then the visit after every change."""
        return self._reader.watch(visit_id)

    async def documents(self, visit_id: str) -> VisitDocuments:
        """Read all stored documents of the visit."""
        return await VisitDocuments.read(self._reader.store, visit_id)

    async def aclose(self) -> None:
        """Stop listening and close the connections."""
        await self._reader.aclose()
