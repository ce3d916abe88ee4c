"""The licence files exist, and the list of third-party packages is up to date."""

from pathlib import Path

import pytest

from infra.release.third_party import LOCKED, SAYS_NOTHING, licence, locked, main, page

ROOT = Path(__file__).parents[2]


def test_the_list_of_third_party_packages_is_up_to_date() -> None:
    assert main(["--check"]) == 0


def test_every_locked_package_is_listed_with_a_licence() -> None:
    rows = [line for line in page().splitlines() if line.startswith("| ")][1:]
    assert len(rows) == len(locked(LOCKED.read_text()))
    assert not [row for row in rows if SAYS_NOTHING in row]


@pytest.mark.parametrize(
    ("expression", "classified", "text", "means"),
    [
        ("MIT", ["BSD License"], "x", "MIT"),
        (None, ["Apache Software License"], "x", "Apache-2.0"),
        (None, [], "Apache 2.0\nwith a text", "Apache 2.0"),
        (None, [], "a text " * 40, SAYS_NOTHING),
        (None, [], None, SAYS_NOTHING),
    ],
)
def test_the_most_exact_licence_declaration_of_a_package_is_used(
    expression: str | None, classified: list[str], text: str | None, means: str
) -> None:
    assert licence(expression, classified, text) == means


def test_only_packages_for_the_python_version_and_platform_of_the_cloud_are_listed() -> None:
    lock = """# a comment == 1
av==18.1.0 ; python_full_version < '3.12' \\
    --hash=sha256:00
av==19.0.2 ; python_full_version >= '3.12' \\
    --hash=sha256:00
httpx[http2]==0.28.1 \\
pywin==1 ; sys_platform == 'win32'
"""
    assert locked(lock) == [("av", "19.0.2"), ("httpx", "0.28.1")]


@pytest.mark.parametrize("name", ["LICENSE", "SECURITY.md", "THIRD-PARTY.md"])
def test_each_licence_and_security_file_exists(name: str) -> None:
    assert (ROOT / name).stat().st_size > 500
