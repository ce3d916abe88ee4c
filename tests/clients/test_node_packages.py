"""Every machine installs the same Node packages, from any registry."""

import json
import re

from infra.local.stack import ROOT


def test_every_node_package_is_pinned_and_the_lock_names_no_registry() -> None:
    wanted = json.loads((ROOT / "package.json").read_text())["devDependencies"]
    lock = json.loads((ROOT / "package-lock.json").read_text())
    assert lock["packages"][""]["devDependencies"] == wanted
    for name, version in wanted.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), name
        assert lock["packages"][f"node_modules/{name}"]["version"] == version
    packages = {path: each for path, each in lock["packages"].items() if path}
    assert not [path for path, each in packages.items() if "resolved" in each]
    assert not [path for path, each in packages.items() if "integrity" not in each]
