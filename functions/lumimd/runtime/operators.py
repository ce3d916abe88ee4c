"""The services that only operators need, each built when first needed."""

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING

from lumimd.operations import checks
from lumimd.policies.breaker import MODEL, ORDERS, TRANSCRIPTION, Breaker
from lumimd.ports.database import Database
from lumimd.ports.health_check import Check
from lumimd.ports.service_controls import QueueControl, ScheduleControl
from lumimd.ports.shared_documents import SharedDocuments
from lumimd.runtime.settings import Settings
from lumimd.stores.operator_store import OperatorStore
from lumimd.stores.visit_store import VisitStore


class OperatorWiring:
    """Mixed into the services of a deployment."""

    if TYPE_CHECKING:  # attributes of the class that it is mixed into

        @property
        def _settings(self) -> Settings: ...

        @property
        def store(self) -> VisitStore: ...

        @property
        def breakers(self) -> SharedDocuments[Breaker]: ...

        @property
        def _database(self) -> Database: ...

    @cached_property
    def operators(self) -> OperatorStore:
        """Firestore, over the same connection as the visits."""
        return OperatorStore(self._database)

    @cached_property
    def queues(self) -> QueueControl:
        """Cloud Tasks."""
        from lumimd.adapters.google.task_queues import CloudTasksQueues
        from lumimd.adapters.google.tasks import client

        return CloudTasksQueues(
            client(self._settings.cloud_tasks_emulator_host), self._settings.location
        )

    @cached_property
    def schedules(self) -> ScheduleControl:
        """Cloud Scheduler."""
        from lumimd.adapters.google.scheduler import CloudSchedules, client

        return CloudSchedules(
            client(self._settings.cloud_scheduler_emulator_host), self._settings.location
        )

    @property
    def checks(self) -> Mapping[str, Check]:
        """The checks of our own services, the bucket and the providers."""
        return {**self.service_checks, **self.provider_checks}

    @property
    def service_checks(self) -> Mapping[str, Check]:
        """The checks that need no key of a provider."""
        return {
            "store": lazily(lambda: checks.store_check(self.store)),
            "queues": lazily(lambda: checks.queue_check(self.queues)),
            "scheduler": lazily(lambda: checks.scheduler_check(self.schedules)),
            **{
                f"breaker: {name}": lazily(partial(self._breaker_check, name))
                for name in (TRANSCRIPTION.name, ORDERS.name, MODEL.name)
            },
        }

    @property
    def provider_checks(self) -> Mapping[str, Check]:
        """The checks of the bucket, the transcriber and the model."""
        return {
            "bucket": lazily(self._bucket_check),
            "transcriber": lazily(self._transcriber_check),
            "model": lazily(self._model_check),
        }

    def _breaker_check(self, name: str) -> Check:
        return checks.breaker_check(self.breakers, name)

    def _bucket_check(self) -> Check:
        from lumimd.adapters.google.storage import storage_client
        from lumimd.adapters.provider_checks import bucket_check

        settings = self._settings
        client = storage_client(settings.google_cloud_project, settings.storage_emulator_host)
        return bucket_check(client, settings.audio_bucket)

    def _transcriber_check(self) -> Check:
        from lumimd.adapters.provider_checks import transcriber_check

        key = self._settings.assemblyai_api_key.get_secret_value()
        return transcriber_check(self._settings.assemblyai_base_url, key)

    def _model_check(self) -> Check:
        from lumimd.adapters.provider_checks import model_check, rules_check

        key = self._settings.openai_api_key
        if self._settings.summarizer == "rules" or key is None:
            return rules_check
        return model_check(self._settings.openai_base_url, key.get_secret_value())


def lazily(make: Callable[[], Check]) -> Check:
    """The check that `make` returns; its dependencies are built when it runs, and for it alone.

    So a dependency that cannot be built (a client without credentials) does not affect the others.
    """

    async def check() -> str:
        return await make()()

    return check
