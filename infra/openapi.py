"""`scripts/openapi`: writes infra/openapi.json, or checks that it is current."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

from infra.local.stack import ROOT
from lumimd.api.application import make_app
from lumimd.api.services import ApiServices

DOCUMENT: Final = ROOT / "infra" / "openapi.json"


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return 0 if the document was written or is current, 1 if it is stale."""
    parser = argparse.ArgumentParser(prog="scripts/openapi", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if it is stale")
    wanted = parser.parse_args(arguments)
    if not wanted.check:
        DOCUMENT.write_text(text())
        return 0
    if is_current(DOCUMENT):
        return 0
    print(f"{DOCUMENT} does not match the routes: run scripts/openapi.", file=sys.stderr)
    return 1


def is_current(path: Path) -> bool:
    """Return whether the file at `path` agrees with the API's routes."""
    return path.exists() and path.read_text() == text()


def text() -> str:
    """Return the OpenAPI document as JSON text."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def document() -> dict[str, Any]:
    """Return the OpenAPI document, generated from the API's routes."""
    return make_app(_no_services).openapi()


def _no_services() -> ApiServices:
    raise AssertionError("the document needs the routes only")


if __name__ == "__main__":
    sys.exit(main())
