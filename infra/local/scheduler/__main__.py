"""Runs the stand-in for Cloud Scheduler: `python -m infra.local.scheduler`."""

import asyncio

from infra.local.scheduler.server import main

asyncio.run(main())
