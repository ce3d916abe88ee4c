"""The real services of one instance, each built when first needed.

An SDK is imported where its service is built: the webhook never loads openai, nor the storage
client.
"""

import uuid
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from typing import Final

from lumimd.coordination.breaker.breaker import CircuitBreaker, first_refusal
from lumimd.coordination.breaker.guarded import GuardedSummarizer, GuardedTranscriber
from lumimd.coordination.shutdown import GracefulShutdown
from lumimd.domain.errors import Held
from lumimd.domain.paths import OPS
from lumimd.domain.visit import Stage
from lumimd.pipeline.services import Services
from lumimd.policies.breaker import MODEL, ORDERS, TRANSCRIPTION, Breaker, BreakerPolicy
from lumimd.policies.deployment import Policy
from lumimd.ports.audio_store import AudioStore
from lumimd.ports.clock import Clock
from lumimd.ports.database import Database
from lumimd.ports.shared_documents import SharedDocuments
from lumimd.ports.summarizer import Summarizer
from lumimd.ports.task_queue import TaskQueue
from lumimd.ports.transcriber import Transcriber
from lumimd.runtime.admission import AdmissionWiring
from lumimd.runtime.flags import FlagWiring
from lumimd.runtime.operators import OperatorWiring
from lumimd.runtime.settings import Settings, settings
from lumimd.stores.deletions import Deletions
from lumimd.stores.retention_queries import RetentionQueries
from lumimd.stores.shared_documents import KeyedDocuments
from lumimd.stores.visit_counts import VisitCounts
from lumimd.stores.visit_store import VisitStore


class SystemClock:
    """The time of day of this machine."""

    def now(self) -> datetime:
        """The present instant, in UTC."""
        return datetime.now(UTC)


class CloudServices(AdmissionWiring, FlagWiring, OperatorWiring):
    """The adapters of Google Cloud and of the providers, as `settings` describe them."""

    def __init__(self, settings: Settings) -> None:
        self._settings: Final = settings
        self.clock: Clock = SystemClock()

    def new_id(self) -> str:
        """A random id."""
        return uuid.uuid4().hex

    @cached_property
    def shutdown(self) -> GracefulShutdown:
        """The shutdown of this process; built when the first visit is worked on."""
        shutdown = GracefulShutdown()
        shutdown.begin_on_sigterm()
        return shutdown

    @cached_property
    def store(self) -> VisitStore:
        """The visits of the database."""
        return VisitStore(self._database)

    @cached_property
    def deletions(self) -> Deletions:
        """Firestore as well."""
        return Deletions(self._database)

    @cached_property
    def retention_queries(self) -> RetentionQueries:
        """Firestore as well."""
        return RetentionQueries(self._database)

    @cached_property
    def visit_counts(self) -> VisitCounts:
        """Firestore as well."""
        return VisitCounts(self._database)

    @cached_property
    def policy(self) -> Policy:
        """The policy from the settings."""
        days = self._settings.transcript_retention_days
        return Policy(
            bucket=self._settings.audio_bucket,
            default_tier=self._settings.default_tier,
            requires_consent=self._settings.require_consent,
            expires_after=timedelta(days=self._settings.expire_unfinished_after_days),
            audio_retention=timedelta(days=self._settings.audio_retention_days),
            transcript_retention=timedelta(days=days) if days else None,
        )

    @cached_property
    def breakers(self) -> SharedDocuments[Breaker]:
        """The documents of the circuit breakers."""
        return KeyedDocuments(self._database, OPS, Breaker)

    @cached_property
    def tasks(self) -> TaskQueue:
        """Cloud Tasks."""
        from lumimd.adapters.google.tasks import CloudTaskQueue, client

        return CloudTaskQueue(
            client(self._settings.cloud_tasks_emulator_host),
            queue=self._settings.summary_queue,
            summarize_url=self._settings.summarize_url,
            service_account=self._settings.tasks_service_account,
        )

    @cached_property
    def audio(self) -> AudioStore:
        """Cloud Storage."""
        from lumimd.adapters.google.storage import cloud_audio_store

        store = cloud_audio_store(
            self._settings.google_cloud_project, self._settings.storage_emulator_host
        )
        if self._settings.audio_handover == "signed_url":
            return store
        from lumimd.adapters.assemblyai.upload import UploadedAudioStore

        return UploadedAudioStore(
            store,
            api_key=self._settings.assemblyai_api_key.get_secret_value(),
            base_url=self._settings.assemblyai_base_url,
        )

    @cached_property
    def transcriber(self) -> Transcriber:
        """AssemblyAI, or a server with the same API."""
        from lumimd.adapters.assemblyai.order import Options
        from lumimd.adapters.assemblyai.transcriber import AssemblyAITranscriber, Webhook

        url = self._settings.webhook_url
        secret = self._settings.webhook_secret.get_secret_value()
        transcriber = AssemblyAITranscriber(
            api_key=self._settings.assemblyai_api_key.get_secret_value(),
            base_url=self._settings.assemblyai_base_url,
            webhook=Webhook(url, secret) if url else None,
            options=Options(
                models=self._settings.transcription_models,
                domain=self._settings.transcription_domain,
                key_terms=self._settings.transcription_key_terms,
                languages=self._settings.transcription_languages,
            ),
        )
        orders, breaker = self._breakers[Stage.SUBMISSION]
        return GuardedTranscriber(transcriber, breaker, orders)

    @cached_property
    def fallback(self) -> Summarizer:
        """The rules that need no key."""
        from lumimd.rules.summarizer import RulesSummarizer

        return RulesSummarizer()

    @cached_property
    def summarizer(self) -> Summarizer:
        """OpenAI, or the rules that need no key."""
        key = self._settings.openai_api_key
        if self._settings.summarizer == "rules" or key is None:
            return self.fallback
        from lumimd.adapters.openai.summarizer import OpenAISummarizer

        summarizer = OpenAISummarizer(
            api_key=key.get_secret_value(),
            base_url=self._settings.openai_base_url,
            model=self._settings.openai_model,
            answer_tokens=self._settings.openai_answer_tokens,
            reasoning_effort=self._settings.openai_reasoning_effort,
        )
        (breaker,) = self._breakers[Stage.SUMMARY]
        return GuardedSummarizer(summarizer, breaker)

    @cached_property
    def _database(self) -> Database:
        """Firestore; the SDK itself heeds FIRESTORE_EMULATOR_HOST."""
        from google.cloud import firestore

        from lumimd.adapters.firestore.database import FirestoreDatabase

        client = firestore.AsyncClient(project=self._settings.google_cloud_project)
        return FirestoreDatabase(client)

    @cached_property
    def _breakers(self) -> dict[Stage, tuple[CircuitBreaker, ...]]:
        """The breakers of the dependencies of a stage."""

        def breaker(policy: BreakerPolicy) -> CircuitBreaker:
            return CircuitBreaker(policy, self.breakers, self.clock, self.new_id)

        transcription = breaker(TRANSCRIPTION)
        return {
            Stage.SUBMISSION: (breaker(ORDERS), transcription),
            Stage.TRANSCRIPTION: (transcription,),
            Stage.SUMMARY: (breaker(MODEL),),
        }

    async def refusal(self, stage: Stage, unanswered_since: datetime | None = None) -> Held | None:
        """The error that a call would get now."""
        return await first_refusal(self._breakers[stage], unanswered_since)


_installed: list[Services] = []


def install(services: Services) -> None:
    """Use `services` in this process: a process that holds the whole stack in memory, or a test."""
    _installed[:] = [services]


def uninstall() -> None:
    """Go back to the real services."""
    _installed.clear()


def installed() -> Services | None:
    """The installed services, if any."""
    return _installed[0] if _installed else None


def services() -> Services:
    """The services of this process.

    Raises:
        SettingsError: the environment does not describe a deployment.
    """
    return _installed[0] if _installed else _cloud_services()


@cache
def _cloud_services() -> Services:
    return CloudServices(settings())
