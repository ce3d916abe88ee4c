"""Admission control of a deployment: semaphore, fair queue and quota in shared documents."""

from typing import TYPE_CHECKING

from lumimd.coordination.admission.admit import Admission
from lumimd.coordination.admission.hourly_cap import HourlyCap, Orders
from lumimd.coordination.admission.quota import TierQuota
from lumimd.coordination.admission.semaphore import Semaphore
from lumimd.domain.paths import HOURLY_ORDERS, OPS, PERMITS
from lumimd.policies.permits import Cap, Shard
from lumimd.policies.priorities import QueueState

if TYPE_CHECKING:
    from lumimd.runtime.services import CloudServices


def admission(services: "CloudServices", permits: int) -> Admission:
    """The admission control for at most `permits` jobs of the provider at a time."""
    shared, clock = services.shared_documents, services.clock
    return Admission(
        Semaphore(shared(PERMITS, Shard), Cap.of(permits), clock),
        shared(OPS, QueueState),
        services.turn_counters,
        services.queued_visits,
        TierQuota(services.limits, services.tiers),
        clock,
        HourlyCap(services.flags, shared(HOURLY_ORDERS, Orders), clock, services.pseudonyms),
    )
