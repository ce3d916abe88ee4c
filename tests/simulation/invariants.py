"""Attaches all invariants to a simulation run (world): at each save and call, and at the end."""

from tests.simulation.cloud import Cloud
from tests.simulation.endings import Endings
from tests.simulation.holders import Holders
from tests.simulation.owners_work import OwnersWork
from tests.simulation.phones import Phones
from tests.simulation.probes import Probes
from tests.simulation.releases import Releases
from tests.simulation.saves import Saves
from tests.simulation.world import World


def watch(world: World, cloud: Cloud, phones: Phones, releases: Releases) -> Endings:
    """Report broken invariants of the world to `world.breach`; return the checks for its end."""
    Saves(world)
    OwnersWork(world)
    Holders(world, cloud.model, cloud.rules)
    Probes(world, cloud.breakers)
    return Endings(world, cloud, phones, releases)
