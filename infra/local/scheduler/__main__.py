"""Run Cloud Scheduler on this machine: `python -m infra.local.scheduler`."""

import asyncio

from infra.local.scheduler.server import main

asyncio.run(main())
