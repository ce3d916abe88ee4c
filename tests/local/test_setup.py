"""scripts/setup creates the environment of the lock once, and repairs an incomplete one.

The tests run the real script in a separate checkout without the network. The lock names wheels that
the tests make, among them a stub of uv that notes its arguments and calls pip.
"""

import asyncio
import base64
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.interpreters import stand_in

SETUP = Path(__file__).parents[2] / "scripts" / "setup"

STAND_IN_FOR_UV = """#!python
import subprocess, sys
with open("uv-was-called", "w") as calls:
    calls.write(" ".join(sys.argv[1:]))
pip = [sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps"]
sys.exit(subprocess.call([*pip, "-r", sys.argv[-1]]))
"""


Completed = subprocess.CompletedProcess[str]


@dataclass
class Checkout:
    """A folder with scripts/setup, a lock, and the wheels that the lock names."""

    root: Path

    def lock(self, *requirements: str) -> None:
        lines = ["--no-index", "--find-links ./wheels", *requirements]
        (self.root / "requirements.txt").write_text("\n".join(lines) + "\n")

    def wheel(self, name: str, version: str, files: dict[str, str]) -> str:
        """Make a wheel; return the lines that name it in a lock file of uv and pip-tools."""
        info = f"{name}-{version}.dist-info"
        files = files | {
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        record = "".join(
            f"{path},sha256={_record_hash(text)},{len(text.encode())}\n"
            for path, text in files.items()
        )
        path = self.root / "wheels" / f"{name}-{version}-py3-none-any.whl"
        path.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(path, "w") as wheel:
            for member, text in files.items():
                entry = zipfile.ZipInfo(member)
                entry.external_attr = 0o100755 << 16  # executable, as scripts must be
                wheel.writestr(entry, text)
            wheel.writestr(f"{info}/RECORD", record + f"{info}/RECORD,,\n")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return f"{name}=={version} \\\n    --hash=sha256:{digest}\n    # via a test"

    def setup(self, script: str = "scripts/setup", **env: str) -> Completed:
        return subprocess.run(
            ["bash", "-c", script],
            cwd=self.root,
            env={**os.environ, "PYTHON": sys.executable, **env},
            capture_output=True,
            text=True,
            check=False,
        )

    def probe(self) -> str:
        """Return the version of the package `probe` in .venv, or Python's error message."""
        command = [".venv/bin/python", "-c", "import probe; print(probe.VERSION)"]
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False)
        return done.stdout.strip() or done.stderr


def _record_hash(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout in which scripts/setup has run; each test leaves its environment complete."""
    made = Checkout(tmp_path_factory.mktemp("checkout"))
    (made.root / "scripts").mkdir()
    shutil.copy(SETUP, made.root / "scripts")
    made.lock(made.wheel("probe", "1.0", {"probe.py": "VERSION = '1.0'\n"}))
    done = made.setup()
    assert done.returncode == 0, done.stderr
    return made


def test_setup_installs_the_packages_of_the_lock_in_a_new_environment(checkout: Checkout) -> None:
    assert checkout.probe() == "1.0"


def test_a_second_run_of_setup_changes_nothing_and_prints_nothing(checkout: Checkout) -> None:
    done = checkout.setup()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_script_that_sources_setup_runs_it_and_continues(checkout: Checkout) -> None:
    done = checkout.setup("source scripts/setup && echo went on")
    assert (done.returncode, done.stdout) == (0, "went on\n")


def test_setup_installs_a_changed_lock_with_the_uv_that_the_lock_contains(
    checkout: Checkout,
) -> None:
    stand_in = checkout.wheel("uv", "1.0", {"uv-1.0.data/scripts/uv": STAND_IN_FOR_UV})
    checkout.lock(checkout.wheel("probe", "2.0", {"probe.py": "VERSION = '2.0'\n"}), stand_in)
    done = checkout.setup()
    assert done.returncode == 0, done.stderr
    assert checkout.probe() == "2.0"
    call = (checkout.root / "uv-was-called").read_text()
    assert call.startswith("pip sync")
    assert call.endswith("--require-hashes requirements.txt")


def test_setup_refuses_a_wrong_hash_and_the_next_run_replaces_the_partial_environment(
    checkout: Checkout,
) -> None:
    right = checkout.wheel("probe", "3.0", {"probe.py": "VERSION = '3.0'\n"})
    checkout.lock(right[: right.index("sha256:")] + "sha256:" + "0" * 64)
    before = checkout.probe()
    done = checkout.setup()
    assert done.returncode == 1
    assert "requirements.txt could not be installed for Python 3" in done.stderr
    assert checkout.probe() == before

    (checkout.root / ".venv" / "half-installed").touch()
    checkout.lock(right)
    done = checkout.setup()
    assert done.returncode == 0, done.stderr
    assert "making .venv" in done.stderr
    assert not (checkout.root / ".venv" / "half-installed").exists()
    assert checkout.probe() == "3.0"


def test_setup_replaces_the_environment_when_another_python_version_is_requested(
    checkout: Checkout, tmp_path: Path
) -> None:
    other = stand_in(tmp_path / "python3.13", "3.13.99")
    (checkout.root / ".venv" / "of-before").touch()
    assert checkout.setup(PYTHON="").stderr == "", "a working environment is kept"
    done = checkout.setup(PYTHON=str(other))
    assert done.returncode == 0, done.stderr
    assert f"making .venv with {other} (3.13.99)" in done.stderr
    assert not (checkout.root / ".venv" / "of-before").exists()
    assert checkout.setup().stderr == "", "it has the version that is asked for"


async def test_two_concurrent_runs_of_setup_complete_the_environment_that_a_killed_run_left(
    checkout: Checkout,
) -> None:
    """The second run waits for the first."""
    shutil.rmtree(checkout.root / ".venv")

    async def begin() -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            "scripts/setup",
            cwd=checkout.root,
            env={**os.environ, "PYTHON": sys.executable},
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )

    killed = await begin()
    assert killed.stderr is not None
    assert b"making .venv" in await killed.stderr.readline()
    os.killpg(killed.pid, signal.SIGKILL)
    await killed.communicate()

    both = [await begin(), await begin()]
    said = [(await process.communicate())[1].decode() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("done" in text for text in said) == 1
    assert sum("waiting for another set-up" in text for text in said) == 1
    assert checkout.setup().stderr == ""


def test_setup_without_a_suitable_python_prints_a_one_sentence_error(tmp_path: Path) -> None:
    empty = Checkout(tmp_path)
    (tmp_path / "scripts").mkdir()
    shutil.copy(SETUP, tmp_path / "scripts")
    empty.lock()
    done = empty.setup(PYTHON="python2.7")
    assert done.returncode == 1
    assert done.stderr.startswith("setup: Python 3.11, 3.12 or 3.13 is needed")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / ".venv").exists()
