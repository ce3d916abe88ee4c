"""The TypeScript types, generated from the JSON Schemas by json-schema-to-typescript."""

import subprocess
from pathlib import Path
from typing import Final

from infra.local.stack import ROOT
from infra.node import installed, node

TYPES: Final = ROOT / "clients" / "typescript" / "lumimd.d.ts"
_GENERATOR: Final = Path(__file__).with_name("typescript.js")


def types() -> str:
    """The text of `lumimd.d.ts`.

    Raises:
        NodeMissing: Node or its packages are not installed.
    """
    installed()
    command = [str(node()), str(_GENERATOR)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
