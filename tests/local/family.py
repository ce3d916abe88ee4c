"""Processes to supervise in tests, and functions to see which of them still run."""

import os
import sys
from pathlib import Path

from infra.local.supervision.process import Process

# Writes the process ids of itself, of a child in its group and of a child in another session, and
# waits; with "deaf" it ignores SIGTERM.
FAMILY = """
import os, signal, subprocess, sys
folder, deaf = sys.argv[1], sys.argv[2] == "deaf"
if deaf:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
idle = [sys.executable, "-S", "-c", "import signal; signal.pause()"]
child, stray = subprocess.Popen(idle), subprocess.Popen(idle, start_new_session=True)
for name, pid in {"parent": os.getpid(), "child": child.pid, "stray": stray.pid}.items():
    with open(f"{folder}/{name}.part", "w") as file:
        file.write(str(pid))
    os.rename(f"{folder}/{name}.part", f"{folder}/{name}.pid")
signal.pause()
"""


def python(name: str, code: str, *arguments: str, **settings: object) -> Process:
    return Process(name=name, argv=(sys.executable, "-S", "-c", code, *arguments), **settings)  # type: ignore[arg-type]


def idle(name: str, **settings: object) -> Process:
    return python(name, "import signal; signal.pause()", **settings)


def family(folder: Path, deaf: str = "no", **settings: object) -> Process:
    async def ready() -> bool:
        return len(pids(folder)) == 3

    return python("family", FAMILY, str(folder), deaf, ready=ready, **settings)


def pids(folder: Path) -> list[int]:
    """The process ids of a family: child, parent, stray."""
    return [int(file.read_text()) for file in sorted(folder.glob("*.pid"))]


def runs(pid: int) -> bool:
    """Whether the process runs; an ended process that was not reaped yet does not count."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return not Path("/proc/self").exists()  # without /proc the result of the signal counts


def survivors(folder: Path) -> list[int]:
    """The processes of a family that still run. Fails when not all of them had started."""
    assert len(pids(folder)) == 3
    return [pid for pid in pids(folder) if runs(pid)]


def forget(folder: Path) -> list[int]:
    """Remove the process ids of a family, so that they do not mix with the next; returns them."""
    forgotten = pids(folder)
    for file in folder.glob("*.pid"):
        file.unlink()
    return forgotten
