"""Counts clauses whose subject is "who", "what", "nobody" or a similar indefinite pronoun.

It reads comments and docstrings of Python, the words of test names, and Markdown outside of code. A
clause counts if it begins with such a pronoun, because readers must read it twice, and a search for
the proper term does not find it.

    scripts/python -m tests.docs.prose [PATH ...]
"""

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]

SUBJECTS: Final = re.compile(
    r"(?:^|[.;:,(!?—–|>*-] *"
    r"|\b(?:and|but|or|so|for|that|of|to|by|with|from|as|than|if|where|when) )"
    r"(?:who|whoever|whose|what|whatever|nobody|somebody|everybody|anybody)\b",
    re.IGNORECASE,
)
"""Matches at the beginning of a clause, and after a conjunction or a preposition."""

_FENCED: Final = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_CODE: Final = re.compile(r"`[^`]*`|\]\([^)]*\)|<[^>]*>")


def passages(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the prose of a file, with line numbers."""
    text = path.read_text("utf-8")
    if path.suffix == ".md":
        blank = _FENCED.sub(lambda match: "\n" * match[0].count("\n"), text)
        yield from enumerate(blank.split("\n"), 1)
        return
    source = text
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", None)
        for each in body if isinstance(body, list) else ():
            match each:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    yield from enumerate(text.split("\n"), each.lineno)
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                if name.startswith("test_"):
                    yield node.lineno, name.removeprefix("test_").replace("_", " ")
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and not token.string.startswith("#!"):
            yield token.start[0], token.string.lstrip("# ")


def counted(path: Path) -> tuple[int, list[tuple[int, str]]]:
    """Return the number of words of a file's prose, and the places of indefinite subjects."""
    words, found = 0, []
    for line, passage in passages(path):
        plain = _CODE.sub("x", passage).strip()
        words += len(plain.split())
        found += [(line, plain)] * len(SUBJECTS.findall(plain))
    return words, found


def sources(*paths: str) -> list[Path]:
    """Return the Python and Markdown files of the repository, or of the given paths."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *paths], cwd=ROOT, capture_output=True, check=True
    ).stdout.decode()
    names = [name for name in listed.split("\0") if name.endswith((".py", ".md"))]
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def main(paths: list[str]) -> None:
    """Print the place of every indefinite subject, and the count per 1,000 words."""
    words, total = 0, 0
    for path in sources(*paths):
        mine, found = counted(path)
        words, total = words + mine, total + len(found)
        for line, passage in found:
            print(f"{path.relative_to(ROOT)}:{line}: {passage}")
    print(f"{total} in {words} words: {1000 * total / max(words, 1):.1f} per 1,000")


if __name__ == "__main__":
    main(sys.argv[1:])
