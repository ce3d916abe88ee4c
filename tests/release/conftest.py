"""Fixtures: the previous release from the git history, and a simulated gcloud on the path."""

import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.release.gcloud_program import NEW, Gcloud, do

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("either_release.py")

PREVIOUS_RELEASE = "ea93990"
"""The commit to which a rollback goes back. Each release names its predecessor here."""

PreviousRelease = Callable[..., str]


@pytest.fixture(scope="session")
def previous_release(tmp_path_factory: pytest.TempPathFactory) -> PreviousRelease:
    """Return a function that runs `either_release.py` with the code of the previous release."""
    archived = subprocess.run(
        ["git", "archive", PREVIOUS_RELEASE], cwd=ROOT, capture_output=True, check=False
    )
    if archived.returncode != 0:
        pytest.skip(f"this checkout has no history back to {PREVIOUS_RELEASE}")
    root = tmp_path_factory.mktemp("release-before")
    with tarfile.open(fileobj=io.BytesIO(archived.stdout)) as tar:
        tar.extractall(root, filter="data")

    def run(*arguments: object) -> str:
        ran = subprocess.run(
            [sys.executable, str(SCRIPT), *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": f"{root}:{root / 'functions'}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr[-2000:]
        return ran.stdout

    return run


@pytest.fixture
def gcloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gcloud:
    """Put a simulated gcloud on the path, with deployed services whose traffic follows LATEST."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return Gcloud(tmp_path)


@pytest.fixture
def deployed(gcloud: Gcloud) -> Gcloud:
    """Pin, then deploy, so that every service has a new revision without traffic."""
    assert do("pin") == 0
    gcloud.terraform(NEW)
    return gcloud
