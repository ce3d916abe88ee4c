"""List all problems, in sentences: the configuration, the dependencies, and failed visits."""

from collections.abc import Callable, Iterable, Sized
from enum import StrEnum
from typing import Final

from lumimd.domain.document import Document
from lumimd.domain.plurals import counted, does
from lumimd.operations.health import health
from lumimd.operations.operator import Operator
from lumimd.operations.statistics import statistics
from lumimd.policies.alerting import STUCK_AFTER
from lumimd.policies.time_budgets import DOCTOR_CHECK_S
from lumimd.stores.operator_store import LetterFilter

MOST: Final = 300
"""The highest count that is determined."""


GOOD_RATE: Final = 0.95
"""The success rate without a warning: five in a hundred may fail for silence or broken files."""


class Level(StrEnum):
    """The severity of a finding. Only a `problem` makes the diagnosis not ok."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


class Finding(Document):
    """One check and its result; `command` holds the words of `scripts/ops` that show more."""

    subject: str
    level: Level
    sentence: str
    command: tuple[str, ...] = ()


class Diagnosis(Document):
    """All findings; `ok` is True if no finding is a problem."""

    ok: bool
    findings: tuple[Finding, ...]


async def diagnose(
    operator: Operator, configuration: Callable[[], Iterable[str]], within_s: float = DOCTOR_CHECK_S
) -> Diagnosis:
    """Run all checks. `configuration` lists the problems of the settings, one per line."""
    findings = [*_configuration(configuration()), *await _dependencies(operator, within_s)]
    if all(each.level is not Level.PROBLEM for each in findings if each.subject == "store"):
        findings += [await _stuck(operator), await _letters(operator), await _success(operator)]
    is_well = all(finding.level is not Level.PROBLEM for finding in findings)
    return Diagnosis(ok=is_well, findings=tuple(findings))


def _configuration(problems: Iterable[str]) -> list[Finding]:
    found = [_finding("configuration", Level.PROBLEM, problem) for problem in problems]
    return found or [_finding("configuration", Level.OK, "Every variable is there.")]


async def _dependencies(operator: Operator, within_s: float) -> list[Finding]:
    return [
        _finding(
            each.name,
            Level.OK if each.ok else Level.PROBLEM,
            f"{each.said[:1].upper()}{each.said[1:]}.",
        )
        for each in (await health(operator, within_s)).dependencies
    ]


async def _stuck(operator: Operator) -> Finding:
    found = await operator.services.operators.stuck(operator.services.clock.now(), MOST)
    if not found:
        minutes = STUCK_AFTER.total_seconds() / 60
        well = f"None is overdue by more than {minutes:.0f} minutes."
        return _finding("stuck visits", Level.OK, well)
    verb = does(len(found), "is overdue or stands", "are overdue or stand")
    sentence = f"{_several(found, 'visit')} {verb} still."
    return _finding("stuck visits", Level.PROBLEM, sentence, "visits", "--stuck")


async def _letters(operator: Operator) -> Finding:
    found = await operator.services.operators.letters(LetterFilter(), MOST)
    if not found:
        return _finding("dead letters", Level.OK, "No open dead letters.")
    waits = does(len(found), "waits", "wait")
    sentence = f"{_several(found, 'dead letter')} {waits} to be retried or discarded."
    return _finding("dead letters", Level.WARNING, sentence, "dead-letters")


async def _success(operator: Operator) -> Finding:
    today = await statistics(operator)
    if today.success_rate is None:
        return _finding("success", Level.OK, "No visit has ended in the last 24 hours.")
    level = Level.OK if today.success_rate >= GOOD_RATE else Level.WARNING
    ended = today.completed + today.failed
    visits = counted(ended, "visit")
    sentence = f"{today.completed} of {visits} completed in the last 24 hours."
    return _finding("success", level, sentence, *(("stats",) if level is not Level.OK else ()))


def _several(found: Sized, one: str) -> str:
    count = len(found)
    return f"{MOST} or more {one}s" if count >= MOST else counted(count, one)


def _finding(subject: str, level: Level, sentence: str, *command: str) -> Finding:
    return Finding(subject=subject, level=level, sentence=sentence, command=command)
