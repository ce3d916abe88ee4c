"""Starts the emulators of firebase-tools with the security rules of the project."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.local.emulators import find_java
from infra.local.stack import PROJECT, ROOT
from infra.local.supervision.ports import LOOPBACK, free_ports
from infra.local.supervision.processes import Process
from infra.local.supervision.ready import Ready
from infra.node import installed, node
from tests.support.servers import running, skipped_without_emulators

EMULATORS = ("auth", "firestore", "storage")
# This command builds the emulators for machines on which firebase-tools cannot download them.
JARS = ROOT.parent / "shared" / "tools" / "emulator-jars" / "emulator-jars"
PATIENCE_S = 300  # the first start downloads the emulators
# 512 MB, because the coverage report of the rules holds every value of every expression.
SMALL_JVM = "-Xms32m -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1"


@dataclass(frozen=True)
class Firebase:
    """The ports of the running emulators."""

    ports: Mapping[str, int]

    def url(self, emulator: str) -> str:
        return f"http://{LOOPBACK}:{self.ports[emulator]}"

    @property
    def env(self) -> dict[str, str]:
        """The environment variables by which the SDKs find the emulators."""
        return {
            "FIREBASE_AUTH_EMULATOR_HOST": f"{LOOPBACK}:{self.ports['auth']}",
            "FIRESTORE_EMULATOR_HOST": f"{LOOPBACK}:{self.ports['firestore']}",
            "FIREBASE_STORAGE_EMULATOR_HOST": f"{LOOPBACK}:{self.ports['storage']}",
        }


@pytest.fixture(scope="session")
def firebase(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firebase]:
    folder = tmp_path_factory.mktemp("firebase")
    ports = free_ports(dict.fromkeys((*EMULATORS, "hub", "logging", "websocket"), 0))
    with skipped_without_emulators():
        java = find_java(os.environ)
        modules = installed()
        tools = (str(node()), str(modules / "firebase-tools" / "lib" / "bin" / "firebase.js"))
    _configure(folder, ports)
    emulators = Process(
        name="firebase",
        argv=(*tools, "emulators:start", "--project", PROJECT, "--only", ",".join(EMULATORS)),
        env={
            **_jars(),
            "CI": "true",  # no prompts
            "XDG_CONFIG_HOME": str(folder),  # no files in the home folder
            "JAVA_TOOL_OPTIONS": SMALL_JVM,
            "PATH": f"{Path(java).parent}{os.pathsep}{os.environ['PATH']}",
        },
        cwd=folder,
        log_path=folder / "firebase.log",
        ready=_all_ready(folder / "firebase.log"),
        ready_timeout_s=PATIENCE_S,
    )
    with running([emulators], folder, start_timeout_s=PATIENCE_S):
        yield Firebase(ports)


def _configure(folder: Path, ports: Mapping[str, int]) -> None:
    """Write the project's firebase.json with these ports, and copy its security rules."""
    config = json.loads((ROOT / "firebase.json").read_text())
    for emulator in (*EMULATORS, "hub", "logging"):
        config["emulators"][emulator] = {"host": LOOPBACK, "port": ports[emulator]}
    config["emulators"]["firestore"]["websocketPort"] = ports["websocket"]
    for service in ("firestore", "storage"):
        shutil.copy(ROOT / config[service]["rules"], folder)
    del config["firestore"]["indexes"]  # the emulator needs no indexes
    (folder / "firebase.json").write_text(json.dumps(config))


def _jars() -> dict[str, str]:
    if "FIRESTORE_EMULATOR_BINARY_PATH" in os.environ or not JARS.is_file():
        return {}
    built = subprocess.run([str(JARS)], check=True, capture_output=True, text=True).stdout
    return dict(re.findall(r"^export (\w+)=(.+)$", built, re.MULTILINE))


def _all_ready(log: Path) -> Ready:
    """Wait for firebase-tools' log line: a port may be open before the rules are loaded."""

    async def ready() -> bool:
        return "All emulators ready" in log.read_text(errors="replace")

    return ready
