"""Check the health of all dependencies concurrently, each within a time limit."""

import asyncio

from lumimd.domain.document import Document
from lumimd.domain.errors import Transient
from lumimd.operations.operator import Operator
from lumimd.policies.time_budgets import HEALTH_CHECK_S
from lumimd.ports.health_check import Check, Unhealthy


class Health(Document):
    """One dependency: whether it is healthy, and a few words for the operator."""

    name: str
    ok: bool
    said: str


class HealthReport(Document):
    """All dependencies; `ok` if all are healthy."""

    ok: bool
    dependencies: tuple[Health, ...]


async def health(operator: Operator, within_s: float = HEALTH_CHECK_S) -> HealthReport:
    """Check every dependency; one that is down, or hangs, does not affect the others."""
    checks = operator.services.checks
    found = await asyncio.gather(*(_asked(name, check, within_s) for name, check in checks.items()))
    return HealthReport(ok=all(each.ok for each in found), dependencies=tuple(found))


async def _asked(name: str, check: Check, within_s: float) -> Health:
    try:
        async with asyncio.timeout(within_s):
            return Health(name=name, ok=True, said=await check())
    except Unhealthy as error:
        return Health(name=name, ok=False, said=str(error))
    except TimeoutError:
        return Health(name=name, ok=False, said=f"no answer within {within_s:g} s")
    except Transient:
        return Health(name=name, ok=False, said="does not answer")
    except Exception as error:
        # A failed check must not hide the others, and its message is dropped because it may quote
        # any text.
        return Health(name=name, ok=False, said=f"failed with {type(error).__name__}")
