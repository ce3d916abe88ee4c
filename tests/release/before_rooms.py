"""Map present module names to those of a release from before the rooms (docs/decisions/0028).

`either_release.py` imports this module if the release has no `lumimd.domain`.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Final

MODULES: Final = {
    "lumimd.domain.audio": "lumimd.audio",
    "lumimd.domain.clinical": "lumimd.clinical",
    "lumimd.domain.codes": "lumimd.errors",
    "lumimd.domain.commit": "lumimd.ports",
    "lumimd.domain.errors": "lumimd.errors",
    "lumimd.domain.events": "lumimd.events",
    "lumimd.domain.progress": "lumimd.progress",
    "lumimd.domain.transcript": "lumimd.transcript",
    "lumimd.domain.visit": "lumimd.records",
    "lumimd.pipeline.accept": "lumimd.pipeline",
    "lumimd.pipeline.recover": "lumimd.recovery",
    "lumimd.pipeline.save": "lumimd.recording",
    "lumimd.pipeline.summarize": "lumimd.pipeline",
    "lumimd.ports.transcriber": "lumimd.ports",
    "tests.support.services": "tests.support.parts",
}


def name_as_now() -> None:
    """Make the modules and names of the earlier release importable by their present names."""
    found = {now: import_module(then) for now, then in MODULES.items()}
    for room in ("lumimd.domain", "lumimd.pipeline"):
        sys.modules[room] = ModuleType(room)
    for now, module in found.items():
        sys.modules[now] = module
        package, _, name = now.rpartition(".")
        setattr(sys.modules[package], name, module)
    recording = found["lumimd.pipeline.save"]
    recording.save_event = recording.record  # type: ignore[attr-defined]
    support = found["tests.support.services"]
    support.MemoryServices = support.MemoryParts  # type: ignore[attr-defined]
