"""Node and the packages of package.json: for the rules' tests, client code and TypeScript types.

The product itself does not use Node.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from infra.local.emulators import EmulatorMissing
from infra.local.stack import ROOT

OLDEST: Final = 20
MODULES: Final = ROOT / "node_modules"
_LOCK: Final = ROOT / "package-lock.json"
_STAMP: Final = MODULES / ".installed-lock"  # hash of the installed lock file; written last


class NodeMissing(EmulatorMissing):
    """Node or its packages are not installed; the message says how to install them."""


def node() -> Path:
    """Return the path of a Node program of a supported version.

    Raises:
        NodeMissing: Node is not installed, or is too old.
    """
    found = shutil.which("node")
    if found is None:
        raise NodeMissing(f"Node is missing: install Node {OLDEST} or newer, with npm.")
    answer = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
    version = answer.stdout.strip().removeprefix("v")
    if int(version.partition(".")[0] or 0) < OLDEST:
        raise NodeMissing(f"{found} is Node {version}, too old: install Node {OLDEST} or newer.")
    return Path(found)


def installed() -> Path:
    """Install exactly the locked packages if needed (`npm ci`); return the path of node_modules.

    If several processes call this at once, one process installs and the other processes wait.

    Raises:
        NodeMissing: npm is not installed, or cannot install the packages.
    """
    wanted = hashlib.sha256(_LOCK.read_bytes()).hexdigest()
    with _LOCK.open("rb") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not (_STAMP.is_file() and _STAMP.read_text() == wanted):
            _install()
            _STAMP.write_text(wanted)
    return MODULES


def _install() -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise NodeMissing("npm is missing: install it with Node.")
    # Install scripts are disabled: no package here needs them, and malicious packages often
    # run their code in them.
    command = [npm, "ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"]
    done = subprocess.run(
        command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NodeMissing(f"The Node packages could not be installed: {done.stderr[-500:]}")
