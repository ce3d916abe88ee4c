"""Run Cloud Tasks on this machine: `python -m infra.local.cloud_tasks`."""

import asyncio

from infra.local.cloud_tasks.server import main

asyncio.run(main())
