"""Texts for operators have correct plurals, units and terms that a new operator understands."""

import re
from datetime import timedelta

import pytest

from infra.ops.arguments import parser
from lumimd.domain.codes import ErrorCode, OperatorCode, ProblemCode, RefusalCode
from lumimd.domain.events import TranscriptionRestarted
from lumimd.domain.plurals import counted, does, times
from lumimd.pipeline.save import save_event
from tests.operations.conftest import Ops
from tests.support.operators import QUEUE, SCHEDULE, OperatedServices

COMMANDS = (
    ("visits",),
    ("show", "v1"),
    ("dead-letters",),
    ("stats",),
    ("costs",),
    ("costs", "--audio-hour", "1", "--summary", "1"),
    ("doctor",),
    ("queues",),
    ("schedule", "list"),
    ("breakers",),
    ("bulk-retry", "--yes"),
    ("visits", "--limit", "1"),
)

ONE = re.compile(r"\b1 (?!of\b)(\w+(?:s|ve))\b")
"""Matches the number 1 before a plural, such as `1 visits` or `1 have`."""

NOT_PLURAL = {"is", "was", "has", "does", "waits", "stands", "s"}

CONFUSING = re.compile(
    r"ought to|left alone|looked (?:at|after)|at once|as it must be|nobody|somebody|whoever"
    r"|started over|lists our|(?<!as )said|of it again",
    re.IGNORECASE,
)
"""Words of earlier texts that new operators did not understand."""


async def given(services: OperatedServices, visits: int) -> None:
    for number in range(1, visits + 1):
        await services.partial(f"v{number}")
        await services.submitted(f"w{number}")
    services.clock.advance(timedelta(hours=1))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("visits", [0, 1, 2])
async def test_every_count_in_the_output_agrees_with_its_noun(
    command: tuple[str, ...], visits: int, services: OperatedServices, ops: Ops
) -> None:
    await given(services, visits)
    ended = await ops(*command)
    for text in (ended.out, ended.told):
        plurals = {word for word in ONE.findall(text) if word not in NOT_PLURAL}
        assert plurals == set(), text
        assert not re.search(r"\b(?:[02-9]|1\d+) (?:visit|order|page|letter|task|summary)\b", text)
        assert not CONFUSING.search(text), text


def test_nouns_verbs_and_times_follow_their_count() -> None:
    assert [counted(n, "visit") for n in (0, 1, 2, 1200)] == [
        "0 visits",
        "1 visit",
        "2 visits",
        "1,200 visits",
    ]
    assert counted(2, "summary", "summaries") == "2 summaries"
    assert [times(n) for n in (1, 2, 3)] == ["once", "twice", "3 times"]
    assert (does(1, "waits", "wait"), does(2, "waits", "wait")) == ("waits", "wait")


async def test_costs_queues_and_doctor_print_texts_that_explain_their_terms(
    services: OperatedServices, ops: Ops
) -> None:
    await services.completed("v1")
    costs = (await ops("costs")).out
    assert (
        "Saved: 0.00 h of audio were not transcribed twice, because the transcript was kept."
        in costs
    )
    assert "repeated (retries, regenerations)" in costs
    assert "audio (h)" in costs
    queues = (await ops("queues")).out
    assert "max per second" in queues
    assert "max parallel" in queues
    doctor = (await ops("doctor")).out
    assert "None is overdue by more than 5 minutes." in doctor
    assert "No open dead letters." in doctor
    await services.unreadable("v2")
    assert "check " in (await ops("doctor")).out


async def test_show_names_the_code_of_a_job_that_failed_at_the_provider(
    services: OperatedServices, ops: Ops
) -> None:
    await services.submitted("v1")
    stored = await services.store.get("v1")
    assert stored is not None
    await save_event(services, stored, TranscriptionRestarted(1, services.clock.now()))
    shown = (await ops("show", "v1")).out
    assert "failed, ordered again" in shown
    assert "transcription_failed" in shown
    assert "next check" in shown


def helps() -> list[str]:
    found, waiting = [], [parser()]
    while waiting:
        one = waiting.pop()
        found.append(one.format_help())
        for action in one._actions:
            waiting += (
                (getattr(action, "choices", None) or {}).values()
                if isinstance(getattr(action, "choices", None), dict)
                else []
            )
    return found


def test_the_help_texts_contain_no_confusing_words() -> None:
    text = " ".join(" ".join(helps()).split())
    assert "overdue by more than 5 minutes, or unchanged for 15" in text
    assert "is a provider being skipped because it fails" in text
    assert not CONFUSING.search(text)


@pytest.mark.parametrize("codes", [ErrorCode, OperatorCode, ProblemCode, RefusalCode])
def test_each_code_has_a_plain_sentence(codes: type[ErrorCode]) -> None:
    for sentence in (code.sentence for code in codes):
        assert sentence[0].isupper(), sentence
        assert sentence.endswith("."), sentence
        assert not CONFUSING.search(sentence), sentence
        assert len(sentence) <= 120, sentence


async def test_the_doctor_names_paused_queues_and_schedules(
    services: OperatedServices, ops: Ops
) -> None:
    await services.queues.pause(QUEUE)
    await services.schedules.pause(SCHEDULE)
    doctor = (await ops("doctor")).out
    assert f"Not running: {QUEUE}; tasks wait." in doctor
    assert f"Not running: {SCHEDULE}; due visits wait." in doctor
