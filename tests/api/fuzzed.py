"""Serve the API over in-memory services on a port for the fuzzer of `test_openapi.py`.

    python -m tests.api.fuzzed --port PORT --token-file FILE

The user of the token in the file is an operator and has visits in every state.
"""

import argparse
import asyncio
from pathlib import Path

import uvicorn

from lumimd.operations.bulk_retry import bulk_retry
from lumimd.telemetry import logs
from tests.support.api import (
    ApiMemoryServices,
    api_over,
    completed,
    failed,
    stored,
    transcribing,
    visit_of,
)

USER = "fuzzer"
STATES = ("done", "running", "broken", "waiting", "theirs")
EACH = 50
"""The number of visits in each state; it is high because the fuzzer deletes many visits."""


async def _at_once(_seconds: float) -> None:
    """Replace the pause of a bulk retry, because the fuzzer may ask for a very slow pace."""


async def serve(port: int, token_file: Path) -> None:
    """Serve until the process is ended."""
    logs.configure()
    bulk_retry.__kwdefaults__["sleep"] = _at_once
    services = ApiMemoryServices()
    api = api_over(services)
    for number in range(EACH):
        await stored(
            services,
            completed(visit_of(USER, f"done-{number}", batch_id="batch")),
            transcribing(visit_of(USER, f"running-{number}", batch_id="batch")),
            failed(visit_of(USER, f"broken-{number}")),
            visit_of(USER, f"waiting-{number}"),
            completed(visit_of("somebody-else", f"theirs-{number}")),
        )
    token_file.write_text(services.tokens.issue(USER, admin=True))
    config = uvicorn.Config(api.app, host="127.0.0.1", port=port, log_config=None, access_log=False)
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--token-file", type=Path, required=True)
    wanted = parser.parse_args()
    asyncio.run(serve(wanted.port, wanted.token_file))
