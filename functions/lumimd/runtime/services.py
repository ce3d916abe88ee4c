"""The real services of one instance, each built at its first use.

An SDK is imported where its service is built, so that the webhook loads neither openai nor the
storage client.
"""

import uuid
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from typing import TYPE_CHECKING, Final, TypeVar

from lumimd.coordination.admission.admit import Admission
from lumimd.coordination.breaker.breaker import CircuitBreaker, first_refusal
from lumimd.coordination.breaker.guarded import GuardedSummarizer, GuardedTranscriber
from lumimd.coordination.flags import SharedFlags
from lumimd.coordination.rate_limits import Limits
from lumimd.coordination.shutdown import GracefulShutdown
from lumimd.domain.document import Document
from lumimd.domain.errors import Held
from lumimd.domain.paths import HOURLY_ORDERS, OPS, PERMITS, RATE_LIMITS
from lumimd.domain.visit import Stage
from lumimd.pipeline.services import Services
from lumimd.policies.breaker import MODEL, ORDERS, TRANSCRIPTION, Breaker, BreakerPolicy
from lumimd.policies.deployment import Policy
from lumimd.policies.flags import Flags
from lumimd.policies.permits import Cap, Shard
from lumimd.policies.priorities import QueueState
from lumimd.policies.pseudonyms import Pseudonyms
from lumimd.policies.token_bucket import Bucket
from lumimd.ports.audio_store import AudioStore
from lumimd.ports.clock import Clock
from lumimd.ports.database import Database
from lumimd.ports.summarizer import Summarizer
from lumimd.ports.task_queue import TaskQueue
from lumimd.ports.transcriber import Transcriber
from lumimd.runtime.settings import Deployment, deployment
from lumimd.stores.deletions import Deletions
from lumimd.stores.queued_visits import QueuedVisits
from lumimd.stores.retention_queries import RetentionQueries
from lumimd.stores.shared_documents import SharedDocuments
from lumimd.stores.tiers import Tiers
from lumimd.stores.turn_counters import TurnCounters
from lumimd.stores.visit_counts import VisitCounts
from lumimd.stores.visit_store import VisitStore

if TYPE_CHECKING:
    from google.cloud import firestore

D = TypeVar("D", bound=Document)


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """Return the present instant, in UTC."""
        return datetime.now(UTC)


class CloudServices:
    """The services of the pipeline: adapters of Google Cloud and of the chosen providers."""

    def __init__(self, deployment: Deployment, database: Database | None = None) -> None:
        """`database` replaces Firestore: the local stack without Java has one in memory."""
        self._settings: Final = deployment.settings
        self._deployment: Final = deployment
        self._database: Final = database or _firestore(self._settings.google_cloud_project)
        self.clock: Clock = SystemClock()
        self.store = VisitStore(self._database)
        self.deletions = Deletions(self._database)
        self.retention_queries = RetentionQueries(self._database)
        self.visit_counts = VisitCounts(self._database)
        self.breakers: SharedDocuments[Breaker] = self._shared(OPS, Breaker)
        self.flag_documents: SharedDocuments[Flags] = self._shared(OPS, Flags)
        self.flags = SharedFlags(self.flag_documents, self.clock)

    def new_id(self) -> str:
        """Return a random id."""
        return uuid.uuid4().hex

    @cached_property
    def shutdown(self) -> GracefulShutdown:
        """The graceful shutdown of this process, built when it starts work on its first visit."""
        shutdown = GracefulShutdown()
        shutdown.begin_on_sigterm()
        return shutdown

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
    def tasks(self) -> TaskQueue:
        """The task queue on Cloud Tasks."""
        from lumimd.adapters.google.tasks import CloudTaskQueue, client

        return CloudTaskQueue(
            client(self._settings.cloud_tasks_emulator_host),
            queue=self._settings.summary_queue,
            summarize_url=self._settings.summarize_url,
            service_account=self._settings.tasks_service_account,
        )

    @cached_property
    def audio(self) -> AudioStore:
        """The recordings in Cloud Storage."""
        from lumimd.adapters.google.storage import cloud_audio_store

        is_uploaded = self._settings.audio_handover == "upload"
        return cloud_audio_store(
            self._settings.google_cloud_project,
            self._settings.storage_emulator_host,
            self._deployment.transcription.uploaded if is_uploaded else None,
        )

    @cached_property
    def transcriber(self) -> Transcriber:
        """The provider of transcripts, behind its circuit breakers."""
        transcriber = self._deployment.transcription.transcriber(
            self._settings.webhook_url, self._settings.webhook_secret.get_secret_value()
        )
        orders, breaker = self._breakers[Stage.SUBMISSION]
        return GuardedTranscriber(transcriber, breaker, orders)

    @cached_property
    def fallback(self) -> Summarizer:
        """The rule-based summarizer, which needs no key."""
        from lumimd.rules.summarizer import RulesSummarizer

        return RulesSummarizer()

    @cached_property
    def summarizer(self) -> Summarizer:
        """The language model behind its circuit breaker, or the rules without a model."""
        model = self._deployment.model
        if model is None:
            return self.fallback
        (breaker,) = self._breakers[Stage.SUMMARY]
        return GuardedSummarizer(model.summarizer(), breaker)

    @cached_property
    def admission(self) -> Admission:
        """The admission control for provider jobs."""
        from lumimd.coordination.admission.hourly_cap import HourlyCap, Orders
        from lumimd.coordination.admission.quota import TierQuota
        from lumimd.coordination.admission.semaphore import Semaphore

        permits = self._settings.transcription_concurrency
        cap = Cap.of(permits or self._deployment.transcription.concurrency)
        hours = self._shared(HOURLY_ORDERS, Orders)
        return Admission(
            Semaphore(self._shared(PERMITS, Shard), cap, self.clock),
            self._shared(OPS, QueueState),
            TurnCounters(self._database),
            QueuedVisits(self._database),
            TierQuota(self.limits, Tiers(self._database, self._settings.default_tier)),
            self.clock,
            HourlyCap(self.flags, hours, self.clock, self.pseudonyms),
        )

    @cached_property
    def limits(self) -> Limits:
        """The rate limits of users: token buckets in shared documents."""
        buckets = self._shared(RATE_LIMITS, Bucket)
        return Limits(buckets, self.clock, self.new_id, pseudonyms=self.pseudonyms)

    @cached_property
    def pseudonyms(self) -> Pseudonyms:
        """The pseudonyms of users, keyed with a secret that is not in the store."""
        return Pseudonyms(self._settings.webhook_secret.get_secret_value())

    def _shared(self, collection: str, kind: type[D]) -> SharedDocuments[D]:
        return SharedDocuments(self._database, collection, kind)

    @cached_property
    def _breakers(self) -> dict[Stage, tuple[CircuitBreaker, ...]]:
        """The circuit breakers of the dependencies of each stage."""

        def breaker(policy: BreakerPolicy) -> CircuitBreaker:
            return CircuitBreaker(policy, self.breakers, self.clock, self.new_id)

        transcription = breaker(TRANSCRIPTION)
        return {
            Stage.SUBMISSION: (breaker(ORDERS), transcription),
            Stage.TRANSCRIPTION: (transcription,),
            Stage.SUMMARY: (breaker(MODEL),),
        }

    async def refusal(self, stage: Stage, unanswered_since: datetime | None = None) -> Held | None:
        """Return the error that a call would get now, or None."""
        return await first_refusal(self._breakers[stage], unanswered_since)


def _firestore(project: str) -> Database:
    """Return the database; the SDK itself reads FIRESTORE_EMULATOR_HOST at the first call."""
    from lumimd.adapters.firestore.database import FirestoreDatabase

    def client() -> "firestore.AsyncClient":
        from google.cloud import firestore

        return firestore.AsyncClient(project=project)

    return FirestoreDatabase(client)


_installed: list[Services] = []


def install(services: Services) -> None:
    """Use `services` in this process, in place of the real services.

    A test uses it, and a process that runs the whole stack in memory.
    """
    _installed[:] = [services]


def uninstall() -> None:
    """Use the real services again."""
    _installed.clear()


def installed() -> Services | None:
    """Return the installed services, or None."""
    return _installed[0] if _installed else None


def services() -> Services:
    """Return the services of this process.

    Raises:
        SettingsError: variables are missing or bad.
    """
    return _installed[0] if _installed else _cloud_services()


@cache
def _cloud_services() -> Services:
    return CloudServices(deployment())
