"""Reads the runbooks: their sections, and the commands in their fenced blocks."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[2] / "infra" / "runbooks"

SECTIONS: Final = (
    "User impact",
    "Diagnosis",
    "Remedy",
    "Verification",
)

NOT_RUNBOOKS: Final = frozenset({"README", "operators-session"})

_FENCE: Final = re.compile(r"^ *```(\S*)( ?[\w-]*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Command:
    """A command: one line of a fenced block."""

    runbook: str
    line: str
    cloud_only: bool

    @property
    def is_ops(self) -> bool:
        return self.line.startswith("scripts/ops")

    def arguments(self, **words: str) -> list[str]:
        """Return the arguments of `scripts/ops`, with placeholders in capitals replaced."""
        return [words.get(word, word) for word in shlex.split(self.line)[1:]]


@dataclass(frozen=True)
class Block:
    """A fenced block of a runbook, and the section that contains it."""

    section: str
    text: str
    info: str

    @property
    def cloud_only(self) -> bool:
        """Whether the block needs the cloud and cannot run on a local stack."""
        return self.info == "cloud-only"

    @property
    def is_script(self) -> bool:
        """Whether the block is one shell script, with loops and pipes."""
        return self.info == "script"

    @property
    def lines(self) -> list[str]:
        return [line.strip() for line in self.text.splitlines() if line.strip()]


def blocks(path: Path) -> list[Block]:
    """Return all blocks in order; a block before the first heading has an empty section."""
    text = path.read_text()
    headings = [(found.start(), found[1]) for found in re.finditer(r"^## (.+)$", text, re.M)]
    found = []
    for fence in _FENCE.finditer(text):
        above = [title for start, title in headings if start < fence.start()]
        found.append(Block(above[-1] if above else "", fence[3], fence[2].strip()))
    return found


def runbooks() -> list[Path]:
    """Return the paths of all runbooks, sorted by name."""
    return [path for path in sorted(FOLDER.glob("*.md")) if path.stem not in NOT_RUNBOOKS]


def sections(path: Path) -> list[str]:
    """Return the second-level headings in their order."""
    return re.findall(r"^## (.+)$", path.read_text(), re.MULTILINE)


def commands(path: Path) -> list[Command]:
    """Return the lines of all blocks except scripts; fail on a language other than bash."""
    found = []
    for language, info, block in _FENCE.findall(path.read_text()):
        assert language == "bash", f"{path.name}: a block of {language or 'nothing'}"
        assert info.strip() in ("", "cloud-only", "script"), f"{path.name}: {info}"
        if info.strip() == "script":  # its lines are no separate commands
            continue
        found += [
            Command(path.stem, line.strip(), bool(info)) for line in block.splitlines() if line
        ]
    return found


def mentioned(path: Path) -> list[Command]:
    """Return the `scripts/ops` commands that the text outside of blocks mentions."""
    text = _FENCE.sub("", path.read_text())
    named = re.findall(r"`(scripts/ops [^`]+)`", text)
    return [Command(path.stem, line.replace("\n", " "), False) for line in named]
