"""The built archive is the same for the same sources, and runs with only its own packages."""

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from infra.local.eventarc.event import finalized
from infra.local.supervision.ports import free_ports
from infra.local.supervision.processes import Process
from infra.local.supervision.ready import port_open
from tests.support.servers import running
from tests.terraform.names import entry_points
from tests.terraform.offline import ROOT, build
from tests.terraform.uploaded import Uploaded, upload

ENTRY_POINTS = entry_points((ROOT / "functions/main.py").read_text())


def test_two_builds_of_the_same_sources_have_the_same_bytes(tmp_path: Path) -> None:
    assert build(tmp_path / "one.zip") == build(tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_a_checkout_with_other_file_times_modes_and_caches_builds_the_same_bytes(
    tmp_path: Path,
) -> None:
    """A changed source file gives an archive with other bytes."""
    checkout = tmp_path / "checkout"
    (checkout / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "scripts/build", checkout / "scripts/build")
    # copyfile copies neither times nor modes.
    shutil.copytree(ROOT / "functions", checkout / "functions", copy_function=shutil.copyfile)
    cache = checkout / "functions/lumimd/__pycache__"
    cache.mkdir(exist_ok=True)
    (cache / "stale.cpython-311.pyc").write_bytes(b"stale")
    (checkout / "functions/.env").write_text("SECRET=of-a-developer")
    (checkout / "functions/main.py").chmod(0o755)

    def digest_there() -> str:
        command = [sys.executable, str(checkout / "scripts/build"), str(tmp_path / "there.zip")]
        built = subprocess.run(command, capture_output=True, text=True, check=True)
        return built.stdout.split()[1]

    assert digest_there() == build(tmp_path / "here.zip")
    with (checkout / "functions/main.py").open("a") as file:
        file.write("# changed\n")
    assert digest_there() != build(tmp_path / "here.zip")


def test_the_archive_has_the_source_files_and_no_cache_or_hidden_file(tmp_path: Path) -> None:
    build(tmp_path / "functions.zip")
    names = zipfile.ZipFile(tmp_path / "functions.zip").namelist()
    assert {"main.py", "requirements.txt", "lumimd/pipeline/submit.py"} <= set(names)
    assert names == sorted(names)
    assert not [name for name in names if "__pycache__" in name or "/." in f"/{name}"]


@pytest.fixture(scope="module")
def uploaded(tmp_path_factory: pytest.TempPathFactory) -> Uploaded:
    return upload(tmp_path_factory.mktemp("uploaded"))


@pytest.fixture(scope="module")
def urls(uploaded: Uploaded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    ports = free_ports(dict.fromkeys(ENTRY_POINTS, 0))
    processes = [
        Process(
            name=name,
            argv=(
                *("/usr/bin/env", "-i", *(f"{k}={v}" for k, v in uploaded.environment().items())),
                *(str(uploaded.bin / "functions-framework"), "--target", name),
                *("--source", "main.py", "--host", "127.0.0.1", "--port", str(port)),
            ),
            cwd=uploaded.source,
            ready=port_open(port),
            after=(),
        )
        for name, port in ports.items()
    ]
    with running(processes, tmp_path_factory.mktemp("functions")):
        yield {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}


# Requests that each entry point can answer without a running dependency: an event that is not about
# a recording, a caller without the secret, a task without a visit; an unreachable store gives 503.
IGNORED_EVENT = finalized(
    {"bucket": "b", "name": "notes.txt", "generation": 1, "size": 1, "contentType": "text/plain"},
    event_id="event-1",
    time="2026-03-01T09:00:00Z",
)
ASKED: dict[str, tuple[str, str, dict[str, object], int]] = {
    "on_audio_finalized": (
        "POST",
        "/",
        {"headers": IGNORED_EVENT.headers, "content": IGNORED_EVENT.body},
        200,
    ),
    "on_transcription_webhook": ("POST", "/", {"json": {"transcript_id": "t"}}, 401),
    "wake_due_visits": ("POST", "/", {}, 503),
    "summarize_visit": ("POST", "/", {"json": {}}, 200),
    "enforce_retention": ("POST", "/", {}, 503),
    "api": ("GET", "/health", {}, 200),
}


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_every_entry_point_runs_with_only_the_packages_of_the_archive(
    urls: dict[str, str], entry_point: str
) -> None:
    method, path, request, status = ASKED[entry_point]
    with httpx.Client(base_url=urls[entry_point], timeout=60) as client:
        answer = client.request(method, path, **request)  # type: ignore[arg-type]
    assert answer.status_code == status, answer.text


# A program that loads an entry point as the framework does, then builds the named services.
LOADED = """
import json, sys
from functions_framework.aio import create_asgi_app
create_asgi_app(sys.argv[1], "main.py")
from lumimd.runtime.services import services
for part in sys.argv[2:]:
    getattr(services(), part)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


@pytest.mark.parametrize(
    ("entry_point", "services"),
    [
        ("on_transcription_webhook", ("store", "breakers", "transcriber", "tasks")),
        ("on_audio_finalized", ("store", "breakers", "audio", "transcriber")),
    ],
)
def test_entry_points_that_need_no_model_and_no_api_do_not_load_those_packages(
    uploaded: Uploaded, entry_point: str, services: tuple[str, ...]
) -> None:
    loaded = set(json.loads(uploaded.python(LOADED, entry_point, *services)))
    assert "assemblyai" in loaded, "the services were built"
    assert not loaded & {"openai", "fastapi", "firebase_admin"}


def test_the_summarizing_entry_point_loads_the_package_of_the_model_provider(
    uploaded: Uploaded,
) -> None:
    loaded = json.loads(uploaded.python(LOADED, "summarize_visit", "store", "summarizer"))
    assert "openai" in loaded
