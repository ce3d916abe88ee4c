"""Make stub Python interpreters for versions that this machine may not have."""

import sys
from pathlib import Path

STAND_IN = """#!{executable}
import os, platform, sys
if "-c" not in sys.argv:
    os.execv({executable!r}, [{executable!r}, *sys.argv[1:]])
platform.python_version = lambda: {version!r}
sys.version_info = (*map(int, {version!r}.split(".")), "final", 0)
sys._base_executable = __file__
code, *sys.argv[1:] = sys.argv[sys.argv.index("-c") + 1 :]
exec(code)
"""
SHIM = """#!/bin/sh
echo "pyenv: the command exists in these Python versions" >&2
exit 127
"""


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def stand_in(path: Path, version: str) -> Path:
    """Write a stub interpreter that reports `version`."""
    return executable(path, STAND_IN.format(executable=sys.executable, version=version))
