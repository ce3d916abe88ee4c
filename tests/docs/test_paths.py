"""Only `domain/paths.py` names collections and folders; rules and indexes use the same names."""

import ast
import json
import re
from pathlib import Path

from lumimd.domain import paths

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "functions" / "lumimd"
COLLECTIONS = {value.split("/")[0] for name, value in vars(paths).items() if name.isupper()}
SUBCOLLECTIONS = {paths.TRANSCRIPT, paths.HISTORY}


def literals(source: str) -> list[str]:
    """Return the beginnings of f-strings that look like the path of a document."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]):
                found.append(text)
    return [text for text in found if text.split("/")[0] in COLLECTIONS and "/" in text]


def test_no_module_except_paths_names_a_firestore_collection() -> None:
    for path in PACKAGE.rglob("*.py"):
        if path != PACKAGE / "domain" / "paths.py" and not path.is_relative_to(PACKAGE / "api"):
            assert not literals(path.read_text("utf-8")), path.relative_to(PACKAGE)


def test_the_search_for_path_literals_finds_an_f_string() -> None:
    assert literals('f"visits/{visit_id}"') == ["visits/"]


def test_the_adapters_and_stores_pass_no_literal_to_a_collection() -> None:
    for path in (*(PACKAGE / "adapters").rglob("*.py"), *(PACKAGE / "stores").rglob("*.py")):
        call = r'(?:\.collection|\.document|\.under|Query|Write)\(f?"(\w*)'
        found = re.findall(call, path.read_text("utf-8"))
        assert not [name for name in found if name], path.relative_to(PACKAGE)


def test_the_security_rules_match_only_the_collections_of_paths() -> None:
    rules = (ROOT / "firestore.rules").read_text("utf-8")
    matched = set(re.findall(r"match /(\w+)/\{", rules)) - {"databases"}
    assert matched <= COLLECTIONS | SUBCOLLECTIONS
    assert f"match /{paths.VISITS}/{{userId}}/{{visitId}}" in (ROOT / "storage.rules").read_text()


def test_the_indexes_are_only_for_the_collections_of_paths() -> None:
    declared = json.loads((ROOT / "infra" / "firestore.indexes.json").read_text("utf-8"))
    groups = {each["collectionGroup"] for each in declared["indexes"]}
    assert groups <= COLLECTIONS | SUBCOLLECTIONS | {"entries"}
