"""docs/compliance.md lists every place where the product stores data."""

import re
from pathlib import Path

from lumimd.domain import paths

ROOT = Path(__file__).parents[2]


def stored_in() -> set[str]:
    """Return the names of all Firestore collections that the product uses."""
    return {value.split("/")[0] for name, value in vars(paths).items() if name.isupper()}


def test_the_compliance_page_lists_every_collection() -> None:
    page = (ROOT / "docs" / "compliance.md").read_text()
    named = set(re.findall(r"^\| Firestore `([^`]+)`", page, re.MULTILINE))
    on_the_page = {part for name in named for part in name.split("/")}
    assert {"visits", "transcript", "deadLetters"} <= stored_in() <= on_the_page


def test_every_row_of_the_compliance_page_fills_all_columns_such_as_retention() -> None:
    page = (ROOT / "docs" / "compliance.md").read_text()
    table = page.partition("| store |")[2].partition("\n\n")[0]
    rows = [row.strip("| ").split(" | ") for row in table.splitlines()[2:]]
    assert len(rows) > 10
    assert all(len(row) == 5 and all(cell.strip() for cell in row) for row in rows)
