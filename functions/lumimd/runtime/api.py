"""The real services of owners and operators, each built at its first use."""

from collections.abc import Mapping
from functools import cache, cached_property
from typing import TYPE_CHECKING, cast

from lumimd.ports.database import Database
from lumimd.ports.health_check import Check
from lumimd.ports.service_controls import QueueControl, ScheduleControl
from lumimd.ports.tokens import Tokens
from lumimd.ports.uploads import Uploads
from lumimd.runtime import services
from lumimd.runtime.checks import provider_checks, service_checks
from lumimd.runtime.settings import Deployment, deployment
from lumimd.stores.idempotency_store import IdempotencyStore
from lumimd.stores.operator_store import OperatorStore
from lumimd.stores.owner_queries import OwnerQueries

if TYPE_CHECKING:
    from fastapi import FastAPI

    from lumimd.api.services import ApiServices


class ApiCloudServices(services.CloudServices):
    """The services that the API and the operators' CLI need besides those of the pipeline."""

    def __init__(self, deployment: Deployment, database: Database | None = None) -> None:
        super().__init__(deployment, database)
        self.operators = OperatorStore(self._database)
        self.owner_queries = OwnerQueries(self._database)
        self.idempotency = IdempotencyStore(self._database)

    @cached_property
    def queues(self) -> QueueControl:
        """The control of the task queues on Cloud Tasks."""
        from lumimd.adapters.google.task_queues import CloudTasksQueues
        from lumimd.adapters.google.tasks import client

        return CloudTasksQueues(
            client(self._settings.cloud_tasks_emulator_host), self._settings.location
        )

    @cached_property
    def schedules(self) -> ScheduleControl:
        """The control of the scheduled calls on Cloud Scheduler."""
        from lumimd.adapters.google.scheduler import CloudSchedules, client

        return CloudSchedules(
            client(self._settings.cloud_scheduler_emulator_host), self._settings.location
        )

    @property
    def checks(self) -> Mapping[str, Check]:
        """The checks of our own services, the bucket and the providers."""
        return {**service_checks(self), **provider_checks(self._deployment)}

    @cached_property
    def tokens(self) -> Tokens:
        """The verifier of ID tokens: Firebase Auth, or the shared secret of a local stack."""
        secret = self._settings.local_token_secret
        if secret is not None:
            from lumimd.adapters.local_tokens import LocalTokens

            project = self._settings.google_cloud_project
            return LocalTokens(secret.get_secret_value(), project, self.clock)
        from lumimd.adapters.google.auth import FirebaseTokens, firebase_app

        return FirebaseTokens(firebase_app(self._settings.google_cloud_project), self.clock)

    @cached_property
    def uploads(self) -> Uploads:
        """The destinations of uploads in Cloud Storage."""
        from lumimd.adapters.google.storage import storage_client
        from lumimd.adapters.google.uploads import CloudUploads

        client = storage_client(
            self._settings.google_cloud_project, self._settings.storage_emulator_host
        )
        return CloudUploads(client, self._settings.audio_bucket)


def api_services() -> "ApiServices":
    """Return the services of this process: those that were installed, or the real ones.

    Raises:
        SettingsError: variables are missing or bad.
    """
    installed = services.installed()
    return cast("ApiServices", installed) if installed is not None else _cloud_services()


@cache
def _cloud_services() -> "ApiServices":
    return ApiCloudServices(deployment())


@cache
def app() -> "FastAPI":
    """Return the REST API of this process, over its real services."""
    from lumimd.api.application import make_app

    return make_app(api_services, deployment().settings.web_origins)
