"""Run Cloud Tasks on this machine: `python -m infra.local.cloud_tasks`."""

import asyncio
import logging

from infra.local.cloud_tasks.server import main

logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
logging.getLogger("infra.local").setLevel(logging.INFO)
asyncio.run(main())
