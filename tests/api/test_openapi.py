"""The OpenAPI document is current, and every response to the fuzzer conforms to it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.supervision.ports import free_ports
from infra.local.supervision.processes import Process
from infra.local.supervision.ready import http_ok
from infra.openapi import DOCUMENT, document, is_current, text
from tests.support.servers import running

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "5")
"""The number of fuzzer cases per operation, in addition to the cases that cover the schema."""


def test_the_openapi_document_in_the_repository_equals_the_generated_one() -> None:
    assert is_current(DOCUMENT), "run scripts/openapi"


def test_a_missing_or_stale_openapi_document_is_reported(tmp_path: Path) -> None:
    stale = tmp_path / "openapi.json"
    assert not is_current(stale)
    stale.write_text(text().replace("/v1/me", "/v1/you"))
    assert not is_current(stale)


def test_every_operation_documents_its_security_and_its_error_responses() -> None:
    made = document()
    assert made["openapi"].startswith("3.1")
    for path, operations in made["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation["description"], where
            if path == "/health":
                continue
            assert operation["security"], where
            assert {"401", "403", "422", "500", "503"} <= set(operation["responses"]), where
            if "{" in path:
                assert "404" in operation["responses"], where


def test_operation_ids_are_unique() -> None:
    operations = [each for path in document()["paths"].values() for each in path.values()]
    assert len({each["operationId"] for each in operations}) == len(operations)


def test_schema_titles_are_unique_in_any_spelling() -> None:
    """A client generator makes a class per title and drops a title that it spells like another."""
    schemas = document()["components"]["schemas"]
    titles = {name: schema["title"] for name, schema in schemas.items()}
    spelled = [re.sub(r"[^a-z0-9]", "", title.lower()) for title in titles.values()]
    assert len(set(spelled)) == len(spelled)
    # FastAPI would add the module to the names of two classes with the same name.
    assert not [name for name in titles if name.startswith("lumimd")]


def test_the_fuzzer_finds_no_undocumented_response_and_no_server_error(tmp_path: Path) -> None:
    """Run all checks of schemathesis against the API with in-memory services on a real port."""
    (port,) = free_ports({"api": 0}).values()
    token = tmp_path / "token"
    argv = (
        sys.executable,
        "-m",
        "tests.api.fuzzed",
        "--port",
        str(port),
        "--token-file",
        str(token),
    )
    url = f"http://127.0.0.1:{port}"
    paths = {"PYTHONPATH": f"{ROOT}:{ROOT / 'functions'}"}
    api = Process(name="api", argv=argv, env=paths, cwd=ROOT, ready=http_ok(f"{url}/health"))
    with running([api], tmp_path):
        command = [
            str(Path(sys.executable).with_name("schemathesis")),
            *("--config-file", str(HERE / "schemathesis.toml")),
            *("run", f"{url}/openapi.json"),
            *("--checks", "all", "--max-examples", EXAMPLES, "--seed", "1"),
            *("--continue-on-failure", "--warnings", "off"),
        ]
        env = {
            **os.environ,
            **paths,
            "LUMIMD_TOKEN": token.read_text(),
            "SCHEMATHESIS_HOOKS": "tests.api.fuzzer_hooks",
        }
        fuzzed = subprocess.run(
            command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
    logged = (tmp_path / "api.log").read_text()
    cases = re.search(r"(\d+) generated", fuzzed.stdout)
    print(f"\nschemathesis: {cases[0] if cases else fuzzed.stdout[-2000:]}")
    assert fuzzed.returncode == 0, fuzzed.stdout[-8000:]
    assert cases is not None
    assert int(cases[1]) > 1000
    assert '"event": "bug"' not in logged


@pytest.mark.parametrize("name", ["ProblemDocument", "VisitView", "Progress", "NewVisit"])
def test_the_openapi_document_contains_the_schema_names_that_clients_use(name: str) -> None:
    assert name in document()["components"]["schemas"]
