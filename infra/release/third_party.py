"""Writes the table of THIRD-PARTY.md: the packages of the deployed functions, and their licences.

    scripts/python -m infra.release.third_party            write it
    scripts/python -m infra.release.third_party --check    check that it is up to date

The list is functions/requirements.txt; licences are as the installed packages declare them.
"""

import re
import sys
from importlib import metadata
from typing import Final

from packaging.requirements import Requirement

from infra.local.stack import ROOT

PAGE: Final = ROOT / "THIRD-PARTY.md"
LOCKED: Final = ROOT / "functions" / "requirements.txt"

_RULE: Final = "|---|---|---|\n"
"""The line above the table's rows; an empty line ends the table."""

DEPLOYED: Final = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.12.0",
    "python_version": "3.12",
    "sys_platform": "linux",
}
"""The cloud runtime of the functions (`terraform/`), for which this module evaluates markers."""

SAYS_NOTHING: Final = "not declared"

# Short names for classifiers with long names, since short names are easier to find in a table.
_SHORT: Final = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}


class NotInstalled(Exception):
    """A locked package is not in this environment, so its licence is unknown."""


def locked(requirements: str) -> list[tuple[str, str]]:
    """Return name and version of each package that a requirements file installs in the cloud."""
    lines = re.findall(r"^([A-Za-z0-9][^\\\n]*==[^\\\n]*)", requirements, re.MULTILINE)
    pinned = [Requirement(line) for line in lines]
    return [
        (each.name, str(each.specifier).removeprefix("=="))
        for each in pinned
        if each.marker is None or each.marker.evaluate(DEPLOYED)
    ]


def licence_of(name: str) -> str:
    """Return the licence that the locally installed version of a package declares.

    Raises:
        NotInstalled: the package is not in this environment.
    """
    try:
        found = metadata.metadata(name)
    except metadata.PackageNotFoundError as error:
        raise NotInstalled(name) from error
    classified = [
        line.rpartition(" :: ")[2]
        for line in found.get_all("Classifier") or ()
        if line.startswith("License :: ") and line != "License :: OSI Approved"
    ]
    expression, text = (
        next(iter(found.get_all(field) or ()), None) for field in ("License-Expression", "License")
    )
    return licence(expression, classified, text)


def licence(expression: str | None, classified: list[str], text: str | None) -> str:
    """Choose the most exact declaration of a licence.

    Some packages declare the whole text of the licence instead of its name.
    """
    if expression:
        return expression
    if classified:
        return ", ".join(_SHORT.get(each, each) for each in classified)
    first = (text or "").strip().splitlines()[:1]
    return first[0] if first and len(first[0]) <= 60 else SAYS_NOTHING


def page() -> str:
    """Return the text of THIRD-PARTY.md with the expected table.

    Raises:
        NotInstalled: a locked package is not in this environment.
    """
    packages = locked(LOCKED.read_text())
    rows = "".join(f"| {name} | {version} | {licence_of(name)} |\n" for name, version in packages)
    head, rule, below = PAGE.read_text().partition(_RULE)
    _, _, foot = below.partition("\n\n")
    return f"{head}{rule}{rows}\n{foot}"


def main(arguments: list[str]) -> int:
    """Write or check THIRD-PARTY.md, and return the exit code."""
    try:
        wanted = page()
    except NotInstalled as error:
        print(f"Not installed: {error}", file=sys.stderr)
        return 1
    if arguments == ["--check"]:
        is_right = PAGE.read_text() == wanted
        print("THIRD-PARTY.md is up to date." if is_right else "THIRD-PARTY.md is out of date.")
        return 0 if is_right else 1
    PAGE.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
