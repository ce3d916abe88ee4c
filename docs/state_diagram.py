"""Draws the table of `lumimd.domain.state_machine` into the README.

scripts/python docs/state_diagram.py           prints the diagram
scripts/python docs/state_diagram.py --write   puts it into README.md
"""

import sys
from collections import defaultdict
from pathlib import Path
from typing import Final

from lumimd.domain.state_machine import TRANSITIONS
from lumimd.domain.visit import ProcessingStatus

README: Final = Path(__file__).parents[1] / "README.md"
BEGIN: Final = "<!-- states: drawn by docs/state_diagram.py -->\n"
END: Final = "<!-- end of states -->\n"


def draw() -> str:
    """The table as a Mermaid state diagram: one arrow a pair of statuses, with its events."""
    arrows: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for (status, event), transition in TRANSITIONS.items():
        arrows[status, transition.to].append(event.name)
    lines = [f"    [*] --> {ProcessingStatus.PENDING}"]
    for (source, target), events in arrows.items():
        lines.append(f"    {source} --> {target}: {'<br>'.join(events)}")
    lines += [f"    {status} --> [*]" for status in ProcessingStatus if status.is_terminal]
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```", ""])


def drawn_into(readme: str) -> str:
    """`readme` with the present diagram between its marks."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{draw()}{END}{after}"


if __name__ == "__main__":
    if "--write" in sys.argv:
        README.write_text(drawn_into(README.read_text()))
    else:
        print(draw())
