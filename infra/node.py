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
_STAMP: Final = MODULES / ".installed-lock"  # written last: the hash of the lock that is installed


class NodeMissing(EmulatorMissing):
    """Node or its packages are not installed; the message says how to install them."""


def node() -> Path:
    """The path of a Node that is new enough.

    Raises:
        NodeMissing: Node is absent or too old.
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
    """The path of node_modules, with exactly the locked packages; `npm ci` installs them if needed.

    Of several concurrent processes one installs and the others wait.

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
    # No install scripts: no package here needs them, and malicious packages usually use them.
    command = [npm, "ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"]
    done = subprocess.run(
        command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NodeMissing(f"The Node packages could not be installed: {done.stderr[-500:]}")
