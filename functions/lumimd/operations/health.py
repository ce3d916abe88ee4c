"""Each dependency asked by itself, all at once, none for longer than a moment."""

import asyncio
from typing import Final

from lumimd.domain.document import Document
from lumimd.domain.errors import Transient
from lumimd.operations.operator import Operator
from lumimd.ports.health_check import Check, Unhealthy

WITHIN_S: Final = 5.0
"""Whoever does not answer in this time is not well, whatever it would have said."""


class Health(Document):
    """One dependency: whether it is well, and a few words for a person."""

    name: str
    ok: bool
    said: str


class HealthReport(Document):
    """All dependencies; `ok` is whether all are well."""

    ok: bool
    dependencies: tuple[Health, ...]


async def health(operator: Operator, within_s: float = WITHIN_S) -> HealthReport:
    """Every dependency, red or green; one that is down, or hangs, colours no other one."""
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
        # Whatever is wrong with one must not hide the others; its message might quote anything.
        return Health(name=name, ok=False, said=f"failed with {type(error).__name__}")
