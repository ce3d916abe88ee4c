"""Run `scripts/ops` as a process with visits in its memory, so that no emulator is needed."""

import asyncio
import logging
import os
import sys
from unittest.mock import patch

from infra.ops import cli
from infra.ops.connection import Connection
from infra.ops.local_stack import Addresses
from lumimd.telemetry import logs
from tests.support.operators import OperatedServices

VISITS = 3


async def _services() -> OperatedServices:
    services = OperatedServices()
    for number in range(VISITS):
        await services.submitted(f"visit-{number:022}")
    return services


def main() -> int:
    logs.configure(to=sys.stderr, level=logging.CRITICAL)
    services = asyncio.run(_services())
    here = Addresses("run-memory", os.getpid(), False, {}, {})
    with (
        patch.object(cli, "choose", lambda _runs, _wanted: here),
        patch("infra.ops.connection.local", lambda _: Connection(services, "the test", ())),
    ):
        return cli.main()


if __name__ == "__main__":
    sys.exit(main())
