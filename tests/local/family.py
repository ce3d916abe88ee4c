"""A family of processes for tests of the supervisor, and functions that find the running ones."""

import os
import sys
from pathlib import Path

from infra.local.supervision.process import Process

# The parent writes its own process id, that of a child in its group and that of a child in another
# session, and waits. With "deaf" the family ignores SIGTERM.
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
    """Return the process ids of a family: child, parent, stray (the child in another session)."""
    return [int(file.read_text()) for file in sorted(folder.glob("*.pid"))]


def runs(pid: int) -> bool:
    """Whether the process runs; a zombie (ended and not yet reaped) does not run."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return not Path("/proc/self").exists()  # without /proc, signal 0 must suffice


def survivors(folder: Path) -> list[int]:
    """Return the ids of a family's running processes; fail if not all of them had started."""
    assert len(pids(folder)) == 3
    return [pid for pid in pids(folder) if runs(pid)]


def forget(folder: Path) -> list[int]:
    """Delete the files with a family's process ids, before a second start; return the ids."""
    forgotten = pids(folder)
    for file in folder.glob("*.pid"):
        file.unlink()
    return forgotten
