"""The entry point `api` of the real `main.py`, served as on the platform, reaches every route."""

import subprocess
import sys
from collections.abc import AsyncIterator

import httpx
import pytest
from functions_framework.aio import create_asgi_app

from infra.local.stack import ROOT
from lumimd.runtime.api import app
from lumimd.runtime.services import install, uninstall
from lumimd.telemetry import logs
from tests.support.api import ApiMemoryServices

FUNCTIONS = ROOT / "functions"


@pytest.fixture
async def served(environment: None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple]:
    monkeypatch.setenv("WEB_ORIGINS", "https://app.example.com")
    app.cache_clear()
    services = ApiMemoryServices()
    function = create_asgi_app("api", str(FUNCTIONS / "main.py"))
    install(services)
    logs.configure()
    transport = httpx.ASGITransport(app=function)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as http:
        yield services, http
    uninstall()
    app.cache_clear()


async def test_every_path_and_method_reaches_the_api_app(served: tuple) -> None:
    services, http = served
    http.headers["Authorization"] = f"Bearer {services.tokens.issue('user-1')}"
    created = await http.post("/v1/visits", json={"consent": True})
    assert created.status_code == 201
    path = f"/v1/visits/{created.json()['visit']['visitId']}"
    assert (await http.get(path)).status_code == 202
    assert (await http.patch(path, json={"title": "Knee"})).json()["title"] == "Knee"
    assert (await http.get("/v1/me/export")).content.startswith(b"PK")
    assert (await http.delete(path)).status_code == 202
    assert (await http.get(path)).status_code == 404
    assert (await http.get("/health")).json() == {"status": "ok"}
    assert (await http.get("/openapi.json")).json()["openapi"].startswith("3.1")
    for nowhere in ("/", "/nothing", "/robots.txt"):
        assert (await http.get(nowhere)).status_code == 404


async def test_an_origin_in_web_origins_gets_a_cors_header(served: tuple) -> None:
    _, http = served
    preflight = await http.options(
        "/v1/visits",
        headers={"Origin": "https://app.example.com", "Access-Control-Request-Method": "POST"},
    )
    assert preflight.headers["access-control-allow-origin"] == "https://app.example.com"


def test_importing_main_does_not_load_the_libraries_of_the_api(environment: None) -> None:
    code = (
        "import main, sys; print(sorted({'fastapi', 'firebase_admin', 'jwt'} & set(sys.modules)))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=FUNCTIONS, capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "[]"
