"""`scripts/schemas`: writes the JSON Schemas and the TypeScript types, or checks them."""

import argparse
import sys

from infra.local.emulators import EmulatorMissing
from infra.schemas import documents, typescript


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0 when all files are written or current, 1 when --check finds a stale one."""
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
        typescript.TYPES.write_text(typescript.types())
    return 0


def _check(*, json_only: bool) -> int:
    stale = documents.stale()
    if not json_only and typescript.TYPES.read_text() != typescript.types():
        stale.append(typescript.TYPES)
    for path in stale:
        print(f"{path} does not match the models: run scripts/schemas.", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EmulatorMissing as missing:
        sys.exit(f"{missing} Or leave the TypeScript types out: --json-only.")
