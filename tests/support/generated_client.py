"""Generate the Python client with scripts/api-client from infra/openapi.json, and call it."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from infra.local.emulators import EmulatorMissing
from infra.local.stack import ROOT

PACKAGE = "lumimd_client"
CANNOT_BE_INSTALLED = 3


class GeneratorMissing(EmulatorMissing):
    """The generator cannot be installed here."""


@dataclass(frozen=True)
class GeneratedClient:
    """The generated package, with a client that is signed in to an API."""

    package: ModuleType
    signed_in: Any

    def call(self, operation: str, **arguments: Any) -> Any:
        """Call `tag.operation`; returns a model of the package: the result or a problem."""
        answer = self.answer(operation, **arguments)
        assert answer.parsed is not None, (operation, answer.status_code, answer.content)
        return answer.parsed

    def answer(self, operation: str, **arguments: Any) -> Any:
        """Return the response with status and headers; an unknown operation fails the test."""
        module = importlib.import_module(f"{PACKAGE}.api.{operation}")
        # Path parameters are positional.
        ids = [arguments.pop(name) for name in ("visit_id", "action_id") if name in arguments]
        return module.sync_detailed(*ids, client=self.signed_in, **arguments)

    def model(self, name: str) -> Any:
        """Return the model class of this name from the package."""
        return getattr(importlib.import_module(f"{PACKAGE}.models"), name)


def generated(folder: Path) -> ModuleType:
    """Generate the package in `folder` and import it.

    Raises:
        GeneratorMissing: the generator cannot be installed, for example without a network.
    """
    command = [str(ROOT / "scripts" / "api-client"), str(folder / PACKAGE)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode == CANNOT_BE_INSTALLED:
        raise GeneratorMissing(f"openapi-python-client cannot be installed: {made.stderr}")
    assert made.returncode == 0, made.stderr
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(PACKAGE)
    finally:
        sys.path.remove(str(folder))


@contextmanager
def signed_in(package: ModuleType, url: str, token: str) -> Iterator[GeneratedClient]:
    """Return a client of the API at `url` that sends the token."""
    with package.AuthenticatedClient(
        base_url=url, token=token, raise_on_unexpected_status=True, timeout=30
    ) as client:
        yield GeneratedClient(package, client)
