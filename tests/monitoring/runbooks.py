"""The runbooks: their sections, and the commands in their fenced blocks."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[2] / "infra" / "runbooks"

SECTIONS: Final = (
    "What the user sees",
    "Which cause it is",
    "What to do",
    "How to know it is over",
)

NOT_RUNBOOKS: Final = frozenset({"README", "operators-session"})

_FENCE: Final = re.compile(r"^ *```(\S*)( ?[\w-]*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Command:
    """One line of a fenced block."""

    runbook: str
    line: str
    cloud_only: bool

    @property
    def is_ops(self) -> bool:
        return self.line.startswith("scripts/ops")

    def arguments(self, **words: str) -> list[str]:
        """What `scripts/ops` is given, with words in capitals replaced."""
        return [words.get(word, word) for word in shlex.split(self.line)[1:]]


def runbooks() -> list[Path]:
    """Every runbook, in order of its name."""
    return [path for path in sorted(FOLDER.glob("*.md")) if path.stem not in NOT_RUNBOOKS]


def sections(path: Path) -> list[str]:
    """The second-level headings in their order."""
    return re.findall(r"^## (.+)$", path.read_text(), re.MULTILINE)


def commands(path: Path) -> list[Command]:
    """Every line of every block; a block in another language than bash is an error."""
    found = []
    for language, info, block in _FENCE.findall(path.read_text()):
        assert language == "bash", f"{path.name}: a block of {language or 'nothing'}"
        assert info.strip() in ("", "cloud-only"), f"{path.name}: {info}"
        found += [
            Command(path.stem, line.strip(), bool(info)) for line in block.splitlines() if line
        ]
    return found


def mentioned(path: Path) -> list[Command]:
    """The `scripts/ops` commands that are named in the text."""
    text = _FENCE.sub("", path.read_text())
    named = re.findall(r"`(scripts/ops [^`]+)`", text)
    return [Command(path.stem, line.replace("\n", " "), False) for line in named]
