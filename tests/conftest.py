"""Fixtures of servers that several suites share, and the distribution of tests to workers."""

import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest
from _pytest.terminal import TerminalReporter
from xdist.remote import Producer
from xdist.scheduler.loadscope import LoadScopeScheduling

from infra.local.emulators import fake_gcs_command, firestore_command
from infra.local.supervision.ports import free_ports
from infra.local.supervision.processes import Process
from infra.local.supervision.ready import http_ok, port_open
from lumimd.telemetry import logs
from tests.support.examples import load_profile
from tests.support.servers import running, skipped_without_emulators

ROOT = Path(__file__).parents[1]
PROJECT = "demo-lumimd"
QUEUE = f"projects/{PROJECT}/locations/us-central1/queues/summaries"

TOGETHER = frozenset({"stack", "simulation", "rules"})
"""Folders whose tests all run in one worker, because they share slow servers or processes."""

ALONE = {
    "tests/stack/test_chaos.py": "chaos",
    "tests/terraform/test_terraform.py": "terraform",
    "tests/terraform/test_parity.py": "terraform",
}
"""Files by group; a worker runs a whole group. `terraform` files share a Terraform plan."""

FIRST = (
    "stack",
    "terraform",
    "simulation",
    "chaos",
    "tests/end_to_end/test_demo.py",
    "tests/end_to_end/test_broken_functions.py",
    "tests/end_to_end/test_recognition.py",
    "rules",
    "tests/api/test_openapi.py",
    "tests/api/test_export.py",
    "tests/contract/test_retention.py",
    "tests/unit/adapters/test_hostile_recordings.py",
)
"""The slowest groups, which begin first, because a slow last group lets other workers wait."""

SLOW_FOLDERS = frozenset({"end_to_end", "stack", "simulation", "terraform", "rules"})
"""Folders that `--fast` leaves out."""

FAST_WITHOUT = frozenset({"firestore_host", "storage_url", "tasks_host", "speech_url"})
"""Servers that `--fast` does not start."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fast", action="store_true", help="no emulator, stack, speech or simulation")


def pytest_configure() -> None:
    load_profile()
    # A shell without job control starts background commands with SIGINT ignored, and their child
    # processes inherit this. Restore SIGINT, because some tests send it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # If a supervisor ignores SIGCHLD, the kernel drops exit codes, and every exit code reads as 0.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--fast"):
        slow = [item for item in items if not _is_fast(item)]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if _is_fast(item)]
    order = {group: place for place, group in enumerate(FIRST)}
    items.sort(key=lambda item: order.get(_group(item.nodeid), len(order)))


def _is_fast(item: pytest.Item) -> bool:
    if any(item.get_closest_marker(mark) for mark in ("emulator", "stack", "speech", "slow")):
        return False
    if item.nodeid.split("/")[1] in SLOW_FOLDERS:
        return False
    return not FAST_WITHOUT & set(getattr(item, "fixturenames", ()))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remove the bytecode of temporary checkouts that tests made."""
    if sys.pycache_prefix and not hasattr(session.config, "workerinput"):
        made = session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
        shutil.rmtree(sys.pycache_prefix + str(made), ignore_errors=True)


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print the seconds that the tests of each folder took, summed over all workers."""
    seconds: Counter[str] = Counter()
    for report in chain.from_iterable(terminalreporter.stats.values()):
        if isinstance(report, pytest.TestReport):
            seconds["/".join(report.nodeid.split("/")[:2])] += report.duration
    terminalreporter.section("seconds by folder")
    for folder, total in seconds.most_common():
        terminalreporter.write_line(f"{total:8.1f}  {folder}")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return a worker per core, and one more for the whole suite, as its tests wait for servers."""
    return (os.cpu_count() or 1) + (not config.getoption("--fast"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    return ByGroup(config, log)


class ByGroup(LoadScopeScheduling):
    """Gives all tests of a group to one worker; xdist's own groups do not work with this pytest."""

    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid)


def _group(nodeid: str) -> str:
    file = nodeid.partition("::")[0]
    folder = file.split("/")[1]
    return ALONE.get(file) or (folder if folder in TOGETHER else file)


@pytest.fixture(scope="session", autouse=True)
def _structured_logs() -> None:
    logs.configure()


@pytest.fixture(scope="session")
def firestore_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of Google's Firestore emulator."""
    (port,) = free_ports({"firestore": 0}).values()
    with skipped_without_emulators():
        command = firestore_command(port=port, project=PROJECT, env=os.environ)
    emulator = Process(name="firestore", argv=command, ready=http_ok(f"http://127.0.0.1:{port}/"))
    with running([emulator], tmp_path_factory.mktemp("firestore")):
        yield f"127.0.0.1:{port}"


@pytest.fixture(scope="session")
def storage_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a fake-gcs-server that sends no events."""
    (port,) = free_ports({"storage": 0}).values()
    command = fake_gcs_command(port=port, env=os.environ)
    url = f"http://127.0.0.1:{port}"
    server = Process(name="storage", argv=command, ready=http_ok(f"{url}/storage/v1/b"))
    with running([server], tmp_path_factory.mktemp("storage")):
        yield url


@pytest.fixture(scope="session")
def tasks_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the local Cloud Tasks server, with one queue."""
    (port,) = free_ports({"tasks": 0}).values()
    argv = (sys.executable, "-m", "infra.local.cloud_tasks", "--port", str(port), "--queue", QUEUE)
    server = Process(name="tasks", argv=argv, cwd=ROOT, ready=port_open(port))
    with running([server], tmp_path_factory.mktemp("tasks")):
        yield f"127.0.0.1:{port}"


@pytest.fixture(scope="session")
def speech_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the AssemblyAI-compatible speech server in scripted mode."""
    (port,) = free_ports({"speech": 0}).values()
    argv = (sys.executable, "-m", "infra.local.speech", "--port", str(port), "--scripted")
    argv += ("--no-fetch", "--delay-s", "0.05")
    server = Process(name="speech", argv=argv, cwd=ROOT, ready=port_open(port))
    with running([server], tmp_path_factory.mktemp("speech")):
        yield f"http://127.0.0.1:{port}"
