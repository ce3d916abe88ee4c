"""Builds the simulated services that all instances share, and those of each instance."""

from collections.abc import Callable
from datetime import datetime
from itertools import count

from lumimd.coordination.breaker.breaker import CircuitBreaker, first_refusal
from lumimd.coordination.breaker.guarded import GuardedSummarizer, GuardedTranscriber
from lumimd.coordination.shutdown import GracefulShutdown
from lumimd.domain.errors import Held
from lumimd.domain.visit import Stage
from lumimd.policies import breaker
from lumimd.policies.flags import Flags
from tests.simulation.breakers import Breakers
from tests.simulation.bucket import Bucket
from tests.simulation.gate import Gate
from tests.simulation.model import Model, Rules
from tests.simulation.store_ports import SimulatedArchive, SimulatedDeletions, SimulatedVisitStore
from tests.simulation.tasks import Tasks
from tests.simulation.transcription import Transcriptions
from tests.simulation.world import World


class Cloud:
    """The services that all instances share."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.numbers: Callable[[], int] = count().__next__
        """Instance numbers. In a world with two releases, odd instances run the newer one."""
        self.store = SimulatedVisitStore(world.documents, world.through_store)
        self.deletions = SimulatedDeletions(world.documents, world.through_store)
        self.retention_queries = SimulatedArchive(world.documents, world.through_store)
        self.bucket = Bucket(world)
        self.transcriptions = Transcriptions(world, self.bucket)
        self.tasks = Tasks(world)
        self.breakers = Breakers(world)
        self.model = Model(world, self.breakers)
        self.rules = Rules(world)
        self.gate = Gate(world)


class EverythingOn:
    """Stub feature flags on which no kill switch is active."""

    def __init__(self) -> None:
        self._flags = Flags()

    async def now(self) -> Flags:
        return self._flags


class Instance:
    """The services of one instance (process) of the functions."""

    def __init__(self, cloud: Cloud) -> None:
        self._world = cloud.world
        self.number = cloud.numbers()
        self.clock = cloud.world
        self.policy = cloud.world.policy
        self.store = cloud.store
        self.deletions = cloud.deletions
        self.retention_queries = cloud.retention_queries
        self.admission = cloud.gate.instance()
        self.flags = EverythingOn()
        self.shutdown = GracefulShutdown()
        self.audio = cloud.bucket
        self.tasks = cloud.tasks
        self.fallback = cloud.rules
        self._orders = self._breaker(cloud, breaker.ORDERS)
        self._transcription = self._breaker(cloud, breaker.TRANSCRIPTION)
        self._model = self._breaker(cloud, breaker.MODEL)
        self.transcriber = GuardedTranscriber(
            cloud.transcriptions, self._transcription, self._orders
        )
        self.summarizer = GuardedSummarizer(cloud.model, self._model)

    def _breaker(self, cloud: Cloud, policy: breaker.BreakerPolicy) -> CircuitBreaker:
        return CircuitBreaker(policy, cloud.breakers, cloud.world, self.new_id)

    def new_id(self) -> str:
        return f"id-{next(self._world.ids)}"

    async def refusal(self, stage: Stage, unanswered_since: datetime | None = None) -> Held | None:
        breakers = {
            Stage.SUBMISSION: (self._orders, self._transcription),
            Stage.TRANSCRIPTION: (self._transcription,),
            Stage.SUMMARY: (self._model,),
        }
        return await first_refusal(breakers[stage], unanswered_since)
