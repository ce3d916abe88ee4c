"""Measures a call through a closed breaker: `scripts/python -m tests.benchmarks.breaker`."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Final

from lumimd.coordination.breaker.breaker import CircuitBreaker
from lumimd.policies.breaker import MODEL, Breaker
from lumimd.runtime.services import SystemClock
from tests.support.shared_documents import in_memory

CALLS: Final = 20_000
ROUNDS: Final = 9
LIMIT_US: Final = 1_000.0


async def answer() -> str:
    return "answer"


async def microseconds(call: Callable[[], Awaitable[object]]) -> float:
    """Return the median over `ROUNDS`, because other processes share the machine."""
    rounds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(CALLS):
            await call()
        rounds.append((time.perf_counter() - began) / CALLS * 1e6)
    return median(rounds)


async def main() -> None:
    breaker = CircuitBreaker(MODEL, in_memory(Breaker), SystemClock(), lambda: "id")
    direct = await microseconds(answer)
    guarded = await microseconds(lambda: breaker.call(answer))
    print(f"a call by itself         {direct:8.2f} us")
    print(f"through a closed breaker {guarded:8.2f} us   ({guarded / direct:.0f} times as long)")
    print(f"added                    {guarded - direct:8.2f} us   (limit {LIMIT_US:.0f})")
    raise SystemExit(guarded - direct > LIMIT_US)


if __name__ == "__main__":
    asyncio.run(main())
