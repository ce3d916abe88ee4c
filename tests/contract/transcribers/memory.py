"""Provide the in-memory transcriber."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from lumimd.adapters.memory import MemoryTranscriber
from tests.contract.transcribers import OUTCOMES, Provider


@asynccontextmanager
async def provided(request: pytest.FixtureRequest) -> AsyncIterator[Provider]:
    scripted: dict[str, str] = {}

    async def will_be(visit_id: str, outcome: str) -> None:
        scripted[visit_id] = outcome

    yield Provider(MemoryTranscriber(lambda visit_id: OUTCOMES[scripted[visit_id]]), will_be)
