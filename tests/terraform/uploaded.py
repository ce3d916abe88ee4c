"""Unpacks the built archive and installs only its requirements.txt, as the cloud does."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.terraform.offline import ROOT, build

NO_SERVER = "127.0.0.1:9"
"""An address without a server (the discard port)."""

ENVIRONMENT: Mapping[str, str] = {
    "GOOGLE_CLOUD_PROJECT": "demo-lumimd",
    "AUDIO_BUCKET": "demo-lumimd-recordings",
    "FIRESTORE_EMULATOR_HOST": NO_SERVER,
    "STORAGE_EMULATOR_HOST": f"http://{NO_SERVER}",
    "CLOUD_TASKS_EMULATOR_HOST": NO_SERVER,
    "CLOUD_SCHEDULER_EMULATOR_HOST": NO_SERVER,
    "LOCAL_TOKEN_SECRET": "a-secret-that-tokens-are-signed-with",
    "SUMMARY_QUEUE": "projects/demo-lumimd/locations/us-central1/queues/summaries",
    "SUMMARIZE_URL": f"http://{NO_SERVER}/",
    "TASKS_SERVICE_ACCOUNT": "tasks@lumimd.invalid",
    "ASSEMBLYAI_API_KEY": "a-key-that-opens-nothing",
    "ASSEMBLYAI_BASE_URL": f"http://{NO_SERVER}",
    "WEBHOOK_SECRET": "a-secret-of-some-length",
    "WEBHOOK_URL": f"http://{NO_SERVER}/",
    "SUMMARIZER": "openai",
    "OPENAI_API_KEY": "a-key-that-opens-nothing",
    "OPENAI_BASE_URL": f"http://{NO_SERVER}/v1",
}


@dataclass(frozen=True)
class Uploaded:
    """The unpacked archive and the Python that runs it."""

    source: Path
    bin: Path

    def environment(self) -> dict[str, str]:
        """Return only the environment variables of a function, without a path into the checkout."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return {**kept, **ENVIRONMENT}

    def python(self, code: str, *arguments: str) -> str:
        """Run a program in the folder of main.py, and return its output."""
        ran = subprocess.run(
            [str(self.bin / "python"), "-c", code, *arguments],
            cwd=self.source,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout


def upload(folder: Path) -> Uploaded:
    """Build the archive into `folder`, unpack it, and install exactly its requirements."""
    archive = folder / "functions.zip"
    build(archive)
    source, venv = folder / "source", folder / "venv"
    with zipfile.ZipFile(archive) as file:
        file.extractall(source)
    uv = str(ROOT / ".venv" / "bin" / "uv")
    quiet = {"check": True, "capture_output": True, "text": True}
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(venv)], **quiet)
    subprocess.run(
        [
            *(uv, "pip", "sync", "--quiet", "--python", str(venv / "bin" / "python")),
            *("--require-hashes", str(source / "requirements.txt")),
        ],
        **quiet,
    )
    return Uploaded(source, venv / "bin")
