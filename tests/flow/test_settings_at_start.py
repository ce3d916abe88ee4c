"""The process of a function with bad settings ends at start and names every bad variable."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.stack import ENTRY_POINTS, ROOT
from lumimd.runtime.settings import SettingsError, deployment, read, require
from tests.flow.conftest import ENVIRONMENT

FRAMEWORK = Path(sys.executable).with_name("functions-framework")
CANARY = "canary-of-a-value"

BROKEN = ENVIRONMENT | {
    "AUDIO_HANDOVER": CANARY,
    "SUMMARY_QUEUE": CANARY,
    "WEBHOOK_SECRET": f"{CANARY}-with-a-line-break\n",
    "ASSEMBLYAI_BASE_URL": f"http://{CANARY}.invalid",
    "STORAGE_EMULATOR_HOST": f"http://{CANARY}.invalid",
    "K_SERVICE": "the-cloud",
}
del BROKEN["ASSEMBLYAI_API_KEY"]
BAD = {
    "ASSEMBLYAI_API_KEY",
    "ASSEMBLYAI_BASE_URL",
    "AUDIO_HANDOVER",
    "STORAGE_EMULATOR_HOST",
    "SUMMARIZE_URL",  # the local URL is not encrypted
    "SUMMARY_QUEUE",
    "WEBHOOK_SECRET",
}


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_no_function_starts_with_bad_settings(entry_point: str) -> None:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    ended = subprocess.run(
        [FRAMEWORK, "--target", entry_point, "--source", "main.py", "--port", "0"],
        cwd=ROOT / "functions",
        env=kept | BROKEN,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 1
    first, *lines = ended.stderr.splitlines()
    assert first == "Please mend these variables:"
    assert {line.strip().partition(":")[0] for line in lines} == BAD
    assert CANARY not in ended.stdout + ended.stderr


def test_a_missing_setting_ends_the_process_with_the_settings_error(
    environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    require()
    monkeypatch.delenv("AUDIO_BUCKET")
    deployment.cache_clear()
    with pytest.raises(SettingsError) as raised:
        read()
    with pytest.raises(SystemExit, match="AUDIO_BUCKET") as ended:
        require()
    assert ended.value.code == str(raised.value)
