"""The client code that we hand out: the page shows what runs, and its types fit the contract."""

import re
import subprocess

from infra.local.stack import ROOT
from infra.node import installed, node
from lumimd.client_access import RECORDING_EXTENSIONS
from lumimd.records import ProcessingStatus, Status
from tests.support.servers import skipped_without_emulators

PAGE = (ROOT / "docs" / "clients.md").read_text()
CODE = (ROOT / "clients" / "web" / "visits.js").read_text()


def test_the_page_shows_the_code_that_the_tests_run() -> None:
    (shown,) = re.findall(r"<!-- clients/web/visits.js -->\n```js\n(.*?)```", PAGE, re.DOTALL)
    assert shown == CODE


def test_the_page_names_every_state_a_visit_can_be_in() -> None:
    rows = set(re.findall(r"^\| `([a-z]+)` \| `([a-z]+)` \|", PAGE, re.MULTILINE))
    assert {processing for processing, _ in rows} == set(ProcessingStatus)
    assert {status for _, status in rows} == set(Status)


def test_the_code_names_the_recordings_that_the_rules_let_in() -> None:
    for extension in RECORDING_EXTENSIONS:
        assert re.search(rf"extension .*\b{extension}\b", CODE)


def test_the_code_fits_the_types_of_the_contract() -> None:
    with skipped_without_emulators():
        compiler = installed() / "typescript" / "bin" / "tsc"
        command = [str(node()), str(compiler), "--project", str(ROOT / "clients")]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
