"""Runs the stand-in for Eventarc: `python -m infra.local.eventarc`."""

import logging

from infra.local.eventarc.server import main

logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
logging.getLogger("infra.local").setLevel(logging.INFO)
main()
