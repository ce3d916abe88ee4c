"""If a provider refuses all calls, operators see the account or configuration fault and remedy."""

import pytest

from lumimd.domain.errors import DeploymentFault
from lumimd.operations import checks
from lumimd.operations.doctor import Level, diagnose
from lumimd.operations.operator import Operator
from lumimd.policies.breaker import ORDERS, Breaker, Reason, key_of, opened
from lumimd.policies.breaker_suspects import mark, refused
from lumimd.ports.health_check import Unhealthy
from tests.support.operators import OperatedServices


def refusing(services: OperatedServices, fault: DeploymentFault) -> Breaker:
    breaker = Breaker(name=ORDERS.name)
    return opened(breaker, None, Reason.REFUSED, services.clock.now(), fault)


@pytest.mark.parametrize("fault", DeploymentFault)
async def test_doctor_names_the_account_or_configuration_fault_and_its_remedy(
    services: OperatedServices, olga: Operator, fault: DeploymentFault
) -> None:
    breaker = refusing(services, fault)
    await services.breakers.save(key_of(breaker.name), None, breaker)
    found = await diagnose(olga, tuple)
    (finding,) = [each for each in found.findings if each.subject == "breaker: orders"]
    assert finding.level is Level.PROBLEM
    assert fault.replace("_", " ") in finding.sentence
    assert checks._TO_DO[fault] in finding.sentence
    assert "however long" in finding.sentence


async def test_the_breaker_check_mentions_a_single_refused_visit(
    services: OperatedServices,
) -> None:
    now = services.clock.now()
    breaker = refused(Breaker(name=ORDERS.name), mark("v1"), now)
    await services.breakers.save(key_of(ORDERS.name), None, breaker)
    said = await checks.breaker_check(services.breakers, ORDERS.name)()
    assert "a visit was refused" in said
    with pytest.raises(Unhealthy):
        await checks.breaker_check(_Open(services), ORDERS.name)()


class _Open:
    def __init__(self, services: OperatedServices) -> None:
        self._breaker = refusing(services, DeploymentFault.UNPAID)

    async def get(self, name: str) -> tuple[Breaker, object]:
        return self._breaker, 1

    async def save(self, read_version: object | None, breaker: Breaker) -> object:
        raise NotImplementedError
