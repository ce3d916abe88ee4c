"""Measures the cost of reading durations, and a healthy upload's delay beside hostile uploads.

    scripts/python -m tests.benchmarks.recordings FOLDER    a table of the recordings in FOLDER
    scripts/python -m tests.benchmarks.recordings --crowd   a healthy upload beside 20 hostile ones

FOLDER/expected.json lists `{"file", "right"}`, where `right` is `{"seconds"}`, `{"code"}` or a
sentence (every answer is then right). Each recording is measured in its own process; the CPU time
covers the whole process, including its start.
"""

import argparse
import asyncio
import io
import json
import resource
import time
from pathlib import Path
from typing import Any

from lumimd.adapters.measuring.limits import LARGE, SLOW
from lumimd.adapters.measuring.process import Process
from lumimd.adapters.measuring.recording import TooCostly
from lumimd.domain.audio import UPLOADS
from lumimd.domain.errors import Permanent
from lumimd.pipeline import accept
from lumimd.telemetry import logs
from tests.support.hostile import BOMBS
from tests.support.services import MemoryServices, upload

TOLERANCE_S = 0.2
BESIDE = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Raw)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--crowd", action="store_true")
    wanted = parser.parse_args()
    if wanted.folder:
        table(wanted.folder)
    if wanted.crowd:
        asyncio.run(crowd())


class Raw(argparse.RawDescriptionHelpFormatter):
    pass


def table(folder: Path) -> None:
    expected = {each["file"]: each for each in json.loads((folder / "expected.json").read_text())}
    wrong, most_cpu_s, most_mib, open_files = [], 0.0, 0.0, 0
    print(f"{'file':34}{'answer':>20}  {'right':20}{'CPU s':>7}{'MiB':>6}{'open':>5}")
    for file in sorted(expected):
        answer, cpu_s, mib, opened = measured(folder / file)
        right = expected[file]["right"]
        is_right = agrees(answer, right)
        if not is_right:
            wrong.append(file)
        most_cpu_s, most_mib = max(most_cpu_s, cpu_s), max(most_mib, mib)
        open_files = max(open_files, opened)
        shown = answer if isinstance(answer, str) else f"{answer:.2f}" if answer else str(answer)
        print(
            f"{file:34}{shown:>20}  {'yes' if is_right else f'NO: {right}':20}"
            f"{cpu_s:7.3f}{mib:6.0f}{opened:5}"
        )
    print(f"{len(expected)} recordings, {len(wrong)} wrong: {', '.join(wrong) or 'none'}")
    print(f"at most {most_cpu_s:.2f} s of CPU, {most_mib:.0f} MiB, {open_files} files or sockets")


def measured(file: Path) -> tuple[float | str | None, float, float, int]:
    """Return the result and its cost: CPU seconds, MiB, and descriptors beyond the three pipes."""
    content, process = file.read_bytes(), Process()

    def read(offset: int, length: int) -> bytes:
        return content[offset : offset + length]

    before, opened = _children_s(), 0
    answer: float | str | None
    try:
        seconds = process.measure(read, len(content), SLOW).seconds
        answer = limited(seconds)
    except Permanent as error:
        answer = error.code.value
    except TooCostly:
        answer = None if len(content) >= LARGE else "audio_unreadable"
    mib = 0.0
    if process.pid is not None:
        opened = len(list(Path(f"/proc/{process.pid}/fd").iterdir())) - 3
        status = Path(f"/proc/{process.pid}/status").read_text()
        mib = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    process.stop()
    return answer, _children_s() - before, mib, opened


def limited(seconds: float | None) -> float | str | None:
    if seconds is not None and seconds < UPLOADS.min_seconds:
        return "audio_too_short"
    return "audio_too_long" if seconds is not None and seconds > UPLOADS.max_seconds else seconds


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def agrees(answer: float | str | None, right: Any) -> bool:
    if not isinstance(right, dict):
        return True
    if "code" in right:
        return bool(answer == right["code"])
    if not isinstance(right["seconds"], int | float):
        return isinstance(answer, float)
    return isinstance(answer, float) and abs(answer - right["seconds"]) <= TOLERANCE_S


async def crowd() -> None:
    """Print how long a healthy upload waits behind hostile ones: of one user, then of 20 users."""
    logs.configure(to=io.StringIO())
    bombs = sorted(BOMBS.values(), key=len)
    for users in (1, BESIDE):
        services = MemoryServices()
        healthy = services.upload("healthy", user_id="ann")
        uploads = []
        for n in range(BESIDE):
            content = bombs[n % len(bombs)]
            made = upload(f"bomb-{n}", size_bytes=len(content), user_id=f"mallory-{n % users}")
            services.audio.put(made.audio, content)
            uploads.append(made)
        hostile = [asyncio.create_task(accept.accept(services, each)) for each in uploads]
        await asyncio.sleep(0.05)
        began = time.monotonic()
        await accept.accept(services, healthy)
        waited = time.monotonic() - began
        ordered = "healthy" in {order.visit_id for order in services.transcriber.orders}
        await asyncio.gather(*hostile)
        whole = time.monotonic() - began
        print(
            f"beside {BESIDE} bombs of {users} users: ordered {ordered} after {waited:.2f} s; "
            f"the bombs took {whole:.1f} s"
        )


if __name__ == "__main__":
    main()
