"""Runs the stand-in for Cloud Tasks: `python -m infra.local.cloud_tasks`."""

import asyncio

from infra.local.cloud_tasks.server import main

asyncio.run(main())
