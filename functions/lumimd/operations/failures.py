"""Count the visits that failed permanently, by stage, code, class, time, user and visit."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from typing import Final

from lumimd.domain.dead_letter import LetterState
from lumimd.domain.document import Document
from lumimd.operations.bulk_retry import choose
from lumimd.operations.operator import Operator
from lumimd.stores.operator_store import LetterFilter

MOST: Final = 20_000
"""The most dead letters that are counted; the result says if there are more."""

TOP: Final = 10


class Troubled(Document):
    """A user or a visit with failures, under a hash that is enough to see a pattern."""

    who: str
    count: int


class Failures(Document):
    """Counts of dead letters. Days and hours are those of the last failure, in UTC."""

    total: int
    open: int
    discarded: int
    by_stage: dict[str, int]
    by_code: dict[str, int]
    by_class: dict[str, int]
    by_day: dict[str, int]
    by_hour: dict[str, int]
    users: tuple[Troubled, ...]
    visits: tuple[Troubled, ...]
    is_complete: bool


async def failures(operator: Operator, since: datetime | None = None) -> Failures:
    """Count the dead letters since then, open and discarded."""
    letters = await choose(operator, LetterFilter(since=since, state=None), MOST)
    states = Counter(letter.state for letter in letters)
    users = Counter(letter.user_id for letter in letters)
    attempts = Counter({letter.visit_id: letter.attempt for letter in letters})
    return Failures(
        total=len(letters),
        open=states[LetterState.OPEN],
        discarded=states[LetterState.DISCARDED],
        by_stage=_counted(letter.stage.value for letter in letters),
        by_code=_counted(letter.code.value for letter in letters),
        by_class=_counted(
            "retryable" if letter.code.retryable else "permanent" for letter in letters
        ),
        by_day=_counted(f"{letter.last_seen_at:%Y-%m-%d}" for letter in letters),
        by_hour=_counted(f"{letter.last_seen_at:%H}" for letter in letters),
        users=_troubled(users),
        visits=_troubled(attempts),
        is_complete=len(letters) < MOST,
    )


def hashed(id_: str) -> str:
    """Return a pseudonym: the same for the same id, but not readable at a glance."""
    return sha256(id_.encode()).hexdigest()[:12]


def _counted(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _troubled(count: Counter[str]) -> tuple[Troubled, ...]:
    return tuple(Troubled(who=hashed(id_), count=n) for id_, n in count.most_common(TOP))
