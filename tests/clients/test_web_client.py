"""docs/clients.md shows the client code that the tests run, and the code type-checks."""

import re
import subprocess
from collections import Counter
from datetime import UTC, datetime

import pytest
import tree_sitter
import tree_sitter_kotlin
import tree_sitter_swift
from pydantic import TypeAdapter

from infra.local.stack import ROOT
from infra.node import installed, node
from lumimd.domain.audio import recording_of
from lumimd.domain.client_access import RECORDING_EXTENSIONS, RECORDING_TYPES, NewVisit
from lumimd.domain.visit import ProcessingStatus, Status
from tests.clients.phone_snippets import PAGE, SERVER_TIME, SNIPPETS
from tests.support.servers import skipped_without_emulators

CODE = (ROOT / "clients" / "web" / "visits.js").read_text()


def test_the_clients_page_shows_the_web_code_that_the_tests_run() -> None:
    shown = dict(re.findall(r"<!-- (clients/\S+) -->\n```js\n(.*?)```", PAGE, re.DOTALL))
    assert set(shown) == {"clients/web/visits.js", "clients/web/local.js"}
    for path, code in shown.items():
        assert code == (ROOT / path).read_text()


def test_the_number_of_snippets_on_the_clients_page_is_as_tested() -> None:
    """Tests here and in tests/stack/test_client_page.py use this number of snippets by language."""
    languages = re.findall(r"^```(\w+)$", PAGE, re.MULTILINE)
    assert Counter(languages) == {"js": 2, "swift": 1, "kotlin": 1, "bash": 2, "python": 1}


GRAMMARS = {"swift": tree_sitter_swift, "kotlin": tree_sitter_kotlin}


@pytest.mark.parametrize("language", GRAMMARS)
def test_the_swift_and_kotlin_snippets_can_be_parsed(language: str) -> None:
    parser = tree_sitter.Parser(tree_sitter.Language(GRAMMARS[language].language()))
    code = SNIPPETS[language].code
    assert not parser.parse(code.encode()).root_node.has_error
    assert parser.parse(code.replace("}", "", 1).encode()).root_node.has_error


@pytest.mark.parametrize("language", SNIPPETS)
def test_the_swift_and_kotlin_snippets_write_a_visit_that_the_rules_allow(language: str) -> None:
    document = SNIPPETS[language].document("visit-1", "user-1")
    now = datetime.now(UTC)
    written = {name: now if value == SERVER_TIME else value for name, value in document.items()}
    written["consent"] = {"givenAt": now}
    TypeAdapter(NewVisit).validate_python(written)
    path = SNIPPETS[language].path("visit-1", "user-1")
    assert recording_of(path) == ("user-1", "visit-1")
    assert re.fullmatch(RECORDING_TYPES, SNIPPETS[language].content_type)


def test_the_clients_page_names_every_status_of_a_visit() -> None:
    rows = set(re.findall(r"^\| `([a-z]+)` \| `([a-z]+)` \|", PAGE, re.MULTILINE))
    assert {processing for processing, _ in rows} == set(ProcessingStatus)
    assert {status for _, status in rows} == set(Status)


def test_the_web_client_code_names_every_accepted_file_extension() -> None:
    for extension in RECORDING_EXTENSIONS:
        assert re.search(rf"extension .*\b{extension}\b", CODE)


def test_the_web_client_code_type_checks_against_the_contract_types() -> None:
    with skipped_without_emulators():
        compiler = installed() / "typescript" / "bin" / "tsc"
        command = [str(node()), str(compiler), "--project", str(ROOT / "clients")]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
