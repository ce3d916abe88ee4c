"""Run Cloud Scheduler on this machine: `python -m infra.local.scheduler`."""

import asyncio
import logging

from infra.local.scheduler.server import main

logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
logging.getLogger("infra.local").setLevel(logging.INFO)
asyncio.run(main())
