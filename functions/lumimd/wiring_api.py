"""The real parts of the API, each built when it is first needed."""

from functools import cache, cached_property
from typing import cast

from lumimd import wiring
from lumimd.api.answers import AnswerStore
from lumimd.api.parts import ApiParts
from lumimd.library import Library
from lumimd.resilience.limits import Limits
from lumimd.settings import settings
from lumimd.tokens import Tokens
from lumimd.uploads import Uploads


class ApiCloudParts(wiring.CloudParts):
    """The adapters of Google Cloud that the API needs besides those of the pipeline."""

    @cached_property
    def tokens(self) -> Tokens:
        """Firebase Auth, or the shared secret of a local stack."""
        secret = self._settings.local_token_secret
        if secret is not None:
            from lumimd.adapters.local_tokens import LocalTokens

            project = self._settings.google_cloud_project
            return LocalTokens(secret.get_secret_value(), project, self.clock)
        from lumimd.adapters.firebase_auth import FirebaseTokens, firebase_app

        return FirebaseTokens(firebase_app(self._settings.google_cloud_project), self.clock)

    @cached_property
    def library(self) -> Library:
        """Firestore, over the same connection as the visits."""
        from lumimd.adapters.firestore_library import FirestoreLibrary

        return FirestoreLibrary(self._firestore)

    @cached_property
    def answers(self) -> AnswerStore:
        """Firestore as well."""
        from lumimd.adapters.firestore_answers import FirestoreAnswerStore

        return FirestoreAnswerStore(self._firestore)

    @cached_property
    def limits(self) -> Limits:
        """Token buckets, in the same store as those of the gate to the provider."""
        return Limits(self._buckets, self.clock, self.new_id, pseudonyms=self._pseudonyms)

    @cached_property
    def uploads(self) -> Uploads:
        """Cloud Storage."""
        from lumimd.adapters.cloud_storage import storage_client
        from lumimd.adapters.cloud_uploads import CloudUploads

        client = storage_client(
            self._settings.google_cloud_project, self._settings.storage_emulator_host
        )
        return CloudUploads(client, self._settings.audio_bucket)


def api_parts() -> ApiParts:
    """The parts of this process: those that were installed, or the real ones.

    Raises:
        SettingsError: the environment does not describe a deployment.
    """
    installed = wiring.installed()
    return cast(ApiParts, installed) if installed is not None else _cloud_parts()


@cache
def _cloud_parts() -> ApiParts:
    return ApiCloudParts(settings())
