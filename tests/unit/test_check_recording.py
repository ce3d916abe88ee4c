"""Test that `scripts/check-recording` gives the same result as the pipeline."""

import asyncio
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra import check_recording
from lumimd.domain.audio import AudioLimits
from lumimd.domain.codes import ErrorCode
from lumimd.pipeline import accept
from tests.support.hostile import TEXTS
from tests.support.recordings import FORMATS, recorded
from tests.support.services import SAMPLE, MemoryServices, tone, upload
from tests.support.visits import visit_of

Check = Callable[..., tuple[int, list[dict[str, Any]]]]

FILES = {
    "good.wav": (tone(seconds=3), None),
    "good.m4a": (SAMPLE.read_bytes(), None),
    "browser.webm": (recorded(FORMATS["webm"], streamed=True), None),
    "empty.wav": (b"", "audio_empty"),
    "short.wav": (tone(seconds=0.1), "audio_too_short"),
    "long.wav": (tone(seconds=10 * 3600 + 1, rate=50), "audio_too_long"),
    "half.m4a": (SAMPLE.read_bytes()[: SAMPLE.stat().st_size // 2], "audio_truncated"),
    "text.m4a": (TEXTS["sdp"], "audio_unreadable"),
}


@pytest.fixture
def check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Check:
    def check(*names: str) -> tuple[int, list[dict[str, Any]]]:
        for name in names:
            if name in FILES:
                (tmp_path / name).write_bytes(FILES[name][0])
        code = check_recording.main([*(str(tmp_path / name) for name in names), "--json"])
        told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        for each in told:
            each["file"] = Path(each["file"]).name
        return code, told

    return check


@pytest.mark.parametrize("name", FILES)
async def test_check_recording_gives_the_same_code_as_the_pipeline(name: str, check: Check) -> None:
    content, code = FILES[name]
    services = MemoryServices()
    audio = upload(size_bytes=len(content)).audio.model_copy(
        update={"storage_path": f"visits/user-1/visit-1/{name}"}
    )
    services.audio.put(audio, content)
    await accept.accept(services, upload().model_copy(update={"audio": audio}))
    error = (await visit_of(services)).processing_error
    assert (error.code if error else None) == code
    exit_code, (told,) = await in_thread(check, name)
    assert (told["code"], exit_code) == (code, 0 if code is None else 1)


async def in_thread(check: Check, name: str) -> tuple[int, list[dict[str, Any]]]:
    """Run the command in a thread, because the command starts an event loop."""
    return await asyncio.to_thread(check, name)


def test_check_recording_prints_one_json_object_per_file_in_sequence(check: Check) -> None:
    exit_code, told = check("good.wav", "long.wav", "text.m4a")
    assert exit_code == 1
    assert [each["file"] for each in told] == ["good.wav", "long.wav", "text.m4a"]
    assert [each["seconds"] for each in told] == [3.0, 36_001.0, None]
    assert all(set(each) == {"file", "seconds", "code"} for each in told)


def test_check_recording_continues_after_a_missing_file(check: Check) -> None:
    exit_code, told = check("nowhere.wav", "good.wav")
    assert exit_code == 2
    assert [each["code"] for each in told] == [ErrorCode.AUDIO_MISSING, None]


def test_check_recording_says_that_a_file_with_another_extension_is_ignored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "notes.txt"
    file.write_bytes(tone(seconds=3))
    assert check_recording.main([str(file)]) == 1
    assert "would be ignored" in capsys.readouterr().out


def test_check_recording_reports_a_file_over_the_size_limit_as_too_large(
    check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_recording, "UPLOADS", AudioLimits(max_bytes=1_000))
    assert check("good.wav")[1][0]["code"] == "audio_too_large"


def test_check_recording_runs_in_any_folder(tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / "scripts" / "check-recording"
    (tmp_path / "good.wav").write_bytes(tone(seconds=3))
    ran = subprocess.run(
        [script, "good.wav"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "good.wav: accepted, 3.0 s\n"
