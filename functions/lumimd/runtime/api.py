"""The real services of the API, each built when first needed."""

from functools import cache, cached_property
from typing import TYPE_CHECKING, cast

from lumimd.api.services import ApiServices
from lumimd.coordination.rate_limits import Limits
from lumimd.ports.tokens import Tokens
from lumimd.ports.uploads import Uploads
from lumimd.runtime import services
from lumimd.runtime.settings import settings
from lumimd.stores.idempotency_store import IdempotencyStore
from lumimd.stores.owner_queries import OwnerQueries

if TYPE_CHECKING:
    from fastapi import FastAPI


class ApiCloudServices(services.CloudServices):
    """The adapters of Google Cloud that the API needs besides those of the pipeline."""

    @cached_property
    def tokens(self) -> Tokens:
        """Firebase Auth, or the shared secret of a local stack."""
        secret = self._settings.local_token_secret
        if secret is not None:
            from lumimd.adapters.local_tokens import LocalTokens

            project = self._settings.google_cloud_project
            return LocalTokens(secret.get_secret_value(), project, self.clock)
        from lumimd.adapters.google.auth import FirebaseTokens, firebase_app

        return FirebaseTokens(firebase_app(self._settings.google_cloud_project), self.clock)

    @cached_property
    def owner_queries(self) -> OwnerQueries:
        """Firestore, over the same connection as the visits."""
        return OwnerQueries(self._database)

    @cached_property
    def idempotency(self) -> IdempotencyStore:
        """Firestore as well."""
        return IdempotencyStore(self._database)

    @cached_property
    def limits(self) -> Limits:
        """Token buckets, in the same store as those of admission control."""
        return Limits(self._buckets, self.clock, self.new_id, pseudonyms=self._pseudonyms)

    @cached_property
    def uploads(self) -> Uploads:
        """Cloud Storage."""
        from lumimd.adapters.google.storage import storage_client
        from lumimd.adapters.google.uploads import CloudUploads

        client = storage_client(
            self._settings.google_cloud_project, self._settings.storage_emulator_host
        )
        return CloudUploads(client, self._settings.audio_bucket)


def api_services() -> ApiServices:
    """The services of this process: those that were installed, or the real ones.

    Raises:
        SettingsError: the environment does not describe a deployment.
    """
    installed = services.installed()
    return cast(ApiServices, installed) if installed is not None else _cloud_services()


@cache
def _cloud_services() -> ApiServices:
    return ApiCloudServices(settings())


@cache
def app() -> "FastAPI":
    """The REST API of this process, over its real services."""
    from lumimd.api.application import make_app

    return make_app(api_services, settings().web_origins)
