"""Run Firebase Storage on this machine: `python -m infra.local.firebase_storage`."""

import argparse
import signal
import tempfile
from pathlib import Path

import uvicorn

from infra.local.firebase_storage.bucket import Bucket
from infra.local.firebase_storage.server import create_app
from infra.local.firebase_storage.sessions import Sessions
from infra.local.supervision.ports import LOOPBACK


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="infra.local.firebase_storage", description=__doc__)
    parser.add_argument("--port", type=int, default=9199)
    parser.add_argument("--storage", required=True, metavar="URL", help="the local Cloud Storage")
    parser.add_argument("--bucket", required=True)
    parser.add_argument(
        "--origins", default="", help="web pages that may call, with commas between"
    )
    wanted = parser.parse_args()
    # After its stop uvicorn raises the signal again, but here SIGTERM is not a failure.
    signal.signal(signal.SIGTERM, lambda *_: None)
    with tempfile.TemporaryDirectory(prefix="firebase-storage-") as folder:
        app = create_app(
            Bucket(wanted.storage, wanted.bucket),
            Sessions(Path(folder)),
            origins=[each for each in wanted.origins.split(",") if each],
        )
        uvicorn.run(app, host=LOOPBACK, port=wanted.port, log_level="warning")


main()
