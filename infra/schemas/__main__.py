"""`scripts/schemas`: writes the JSON Schemas and the TypeScript types, or checks them."""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Final

from infra.local.emulators import EmulatorMissing
from infra.local.stack import ROOT
from infra.node import installed, node
from infra.schemas import documents

TYPES: Final = ROOT / "clients" / "typescript" / "lumimd.d.ts"
_GENERATOR: Final = Path(__file__).with_name("typescript.js")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return 0 if all files were written or are current, 1 if a file is stale."""
    parser = argparse.ArgumentParser(prog="scripts/schemas", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="change nothing; fail if a file is stale"
    )
    parser.add_argument("--json-only", action="store_true", help="without the types: needs no Node")
    wanted = parser.parse_args(arguments)
    if wanted.check:
        return _check(json_only=wanted.json_only)
    documents.write()
    if not wanted.json_only:
        TYPES.write_text(types())
    return 0


def types() -> str:
    """Generate the text of `lumimd.d.ts` from the JSON Schemas with json-schema-to-typescript.

    Raises:
        NodeMissing: Node or its packages are not installed.
    """
    installed()
    command = [str(node()), str(_GENERATOR)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _check(*, json_only: bool) -> int:
    stale = documents.stale()
    if not json_only and TYPES.read_text() != types():
        stale.append(TYPES)
    for path in stale:
        print(f"{path} does not match the models: run scripts/schemas.", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EmulatorMissing as missing:
        sys.exit(f"{missing} Or leave the TypeScript types out: --json-only.")
