"""Fixtures: parsed log lines, and the real entry points with all services in memory."""

from collections.abc import Iterator

import pytest

from lumimd.telemetry import logs
from tests.flow.conftest import environment, functions  # noqa: F401  (fixtures)
from tests.monitoring.lines import Lines


@pytest.fixture
def lines() -> Iterator[Lines]:
    written = Lines()
    logs.configure(to=written)
    yield written
    logs.configure()
