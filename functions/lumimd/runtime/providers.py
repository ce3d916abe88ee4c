"""Find the package of a vendor by its name: `adapters/NAME/provider.py`."""

from importlib import import_module
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from lumimd import adapters

RULES: Final = "rules"
"""The name of the rule-based summarizer, which needs no vendor."""

_CLASSES: Final = {"transcriber": "TranscriptionProvider", "summarizer": "SummaryProvider"}


def load(kind: str, name: str) -> Any:
    """Return the settings class of the vendor `name`; None for the rules.

    `kind` is `transcriber` or `summarizer`. The import is fast, because a package imports its SDK
    only when its adapter is built.

    Raises:
        ValueError: no package of that name provides a transcriber or summarizer, as `kind`
            requires.
    """
    if (kind, name) == ("summarizer", RULES):
        return None
    if name not in _packages() or _offered(kind, name) is None:
        raise ValueError(f"one of {', '.join(names(kind))}")
    return _offered(kind, name)


def settings_of_all() -> list[type[BaseModel]]:
    """Return the settings class of every vendor, of transcripts and of summaries."""
    offered = (_offered(kind, name) for kind in _CLASSES for name in _packages())
    return [each for each in offered if each is not None]


def names(kind: str) -> list[str]:
    """Return the possible values of the setting `kind`."""
    offered = [name for name in _packages() if _offered(kind, name)]
    return [*offered, RULES] if kind == "summarizer" else offered


def _packages() -> list[str]:
    files = Path(adapters.__path__[0]).glob("*/provider.py")
    return sorted(file.parent.name for file in files)


def _offered(kind: str, name: str) -> Any:
    module = import_module(f"{adapters.__name__}.{name}.provider")
    return getattr(module, _CLASSES[kind], None)
