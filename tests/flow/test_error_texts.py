"""The message of an error never reaches a log, from any server, thread or finalizer.

Each case runs in a separate process, and the test reads the complete output of the process, because
the servers print tracebacks with their own log handlers.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.flow.conftest import ENVIRONMENT

ROOT = Path(__file__).parents[2]
CANARY = "amoxicillin-for-Mr-Smith"

PREPARED = f'''
import asyncio, gc, logging, sys, threading, warnings
sys.path[:0] = [".", "./functions"]
CANARY = "{CANARY}"
'''

SERVED = """
import httpx, uvicorn
from functions_framework.aio import create_asgi_app
from lumimd.runtime import services as runtime_services
from lumimd.telemetry import logs
from tests.support.api import ApiMemoryServices, api_over, stored, visit_of

async def main(server, broken):
    services = ApiMemoryServices()
    api = api_over(services)
    if server == "framework":
        app = create_asgi_app("api", "functions/main.py")
        runtime_services.install(services)
    else:
        app = api.app
        logs.configure()
    await stored(services, *(visit_of("user-1", f"v{n}", minutes=n) for n in range(5)))
    read = services.store.transcript

    async def transcript(visit_id):
        if visit_id == broken:
            try:
                raise ValueError(CANARY)
            except ValueError as error:
                raise LookupError(CANARY, [CANARY]) from error
        return await read(visit_id)

    services.store.transcript = transcript
    # As functions-framework starts it: with uvicorn's own handlers, which print tracebacks.
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error")
    served = uvicorn.Server(config)
    serving = asyncio.create_task(served.serve())
    while not served.started:
        await asyncio.sleep(0.01)
    port = served.servers[0].sockets[0].getsockname()[1]
    headers = {"Authorization": "Bearer " + services.tokens.issue("user-1")}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers) as http:
        try:
            answer = await http.get("/v1/me/export")
            print("ANSWERED", answer.status_code)
        except httpx.RemoteProtocolError:
            print("BROKEN OFF")
    served.should_exit = True
    await serving
"""


def printed(script: str) -> str:
    """Run `script` in a process and return the complete output."""
    done = subprocess.run(
        [sys.executable, "-c", PREPARED + script],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **ENVIRONMENT},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout.replace(CANARY, "(the text of the error)")
    return done.stdout


@pytest.mark.parametrize("server", ["uvicorn", "framework"])
@pytest.mark.parametrize(("broken", "outcome"), [("v4", "ANSWERED 500"), ("v2", "BROKEN OFF")])
def test_an_interrupted_export_logs_the_class_of_the_error_without_its_message(
    server: str, broken: str, outcome: str
) -> None:
    output = printed(SERVED + f"asyncio.run(main({server!r}, {broken!r}))")
    assert outcome in output
    assert "LookupError" in output, "the class of the error is logged"
    assert CANARY not in output


ELSEWHERE = {
    "a server's handler of its own": """
own = logging.getLogger("uvicorn.error")
own.addHandler(logging.StreamHandler())
own.propagate = False
try:
    raise ValueError(CANARY)
except ValueError:
    own.exception("Exception in ASGI application")
""",
    "a handler that was there before": """
logging.lastResort.setLevel(0)
try:
    raise ValueError(CANARY)
except ValueError as error:
    logging.getLogger("uvicorn").error("failed", exc_info=error)
""",
    "a thread": """
def fails(): raise ValueError(CANARY)
thread = threading.Thread(target=fails); thread.start(); thread.join()
""",
    "a finalizer": """
class Kept:
    def __del__(self): raise ValueError(CANARY)
Kept(); gc.collect()
""",
    "a task that is not awaited": """
async def fails(): raise ValueError(CANARY)
async def main():
    asyncio.ensure_future(fails())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gc.collect()
asyncio.run(main())
""",
    "a callback of the loop": """
async def main():
    def fails(): raise ValueError(CANARY)
    asyncio.get_running_loop().call_soon(fails)
    await asyncio.sleep(0)
asyncio.run(main())
""",
    "a warning that quotes a value": """
from pydantic import BaseModel
class Said(BaseModel):
    words: int
Said.model_construct(words=CANARY).model_dump()
warnings.warn(CANARY)
""",
}


@pytest.mark.parametrize("place", ELSEWHERE)
def test_an_error_outside_a_request_is_logged_without_its_message(place: str) -> None:
    output = printed("from lumimd.telemetry import logs\nlogs.configure()\n" + ELSEWHERE[place])
    assert output.strip(), "it is logged"
    assert CANARY not in output
