"""Ids stay untruncated in a narrow terminal: a table that does not fit has one field per line."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from infra.ops.listing import Listing, print_whole
from lumimd.policies.breaker import Breaker, Reason, State, key_of
from tests.operations.conftest import ops_on
from tests.support.operators import QUEUE, SCHEDULE, OperatedServices

IDS = {name: f"{name}-{'x7Kq' * 7}"[:28] for name in ("good", "partial", "noise", "hanging")}
USER = "kQ3vB9mZ2pR7tY5wX1cN8dF4gH6j"
WIDTHS = ["40", "60", "80", "132", None]
READINGS = [
    ("visits",),
    ("visits", "--stuck"),
    ("visits", "--failed"),
    ("visits", "--high-retry", "1"),
    *(("show", visit_id) for visit_id in IDS.values()),
    ("dead-letters",),
    ("dead-letters", "--discarded"),
    ("stats",),
    ("costs",),
    ("costs", "--audio-hour", "0.15", "--summary", "0.02"),
    ("doctor",),
    ("queues",),
    ("schedule", "list"),
    ("breakers",),
    ("audit", "--by", "otto"),
]
CHANGES = [
    ("retry", IDS["partial"]),
    ("discard", IDS["noise"], "--reason", "only noise, owner told"),
    ("bulk-retry",),
    ("hold", IDS["good"], "--reason", "case 17"),
    ("rerun", IDS["good"], "--from", "summary"),
    ("queues", "pause", QUEUE),
    ("schedule", "pause", SCHEDULE),
    ("breakers", "reset", "model"),
    ("delete", IDS["good"]),
]


@pytest.fixture
def headings(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Collect the words of column names, which narrow output omits for columns without values."""
    found: set[str] = set()
    make = Listing.__init__

    def noted(listing: Listing, *columns: str, dropped_first: str | None = None) -> None:
        found.update(word for column in columns for word in column.split())
        make(listing, *columns, dropped_first=dropped_first)

    monkeypatch.setattr(Listing, "__init__", noted)
    return found


async def visits_of_one_user(services: OperatedServices) -> None:
    services.owner = USER
    await services.completed(IDS["good"])
    await services.partial(IDS["partial"])
    await services.unreadable(IDS["noise"])
    await services.submitted(IDS["hanging"])
    opened = Breaker(
        name="model",
        state=State.OPEN,
        reason=Reason.FAILURES_IN_A_ROW,
        changed_at=services.clock.now(),
    )
    await services.breakers.save(key_of(opened.name), None, opened)
    services.clock.advance(timedelta(hours=1))


Printed = Callable[[str | None], Awaitable[str]]


async def assert_whole(printed: Printed, headings: set[str]) -> None:
    """Check that the output has the same words at every width as on a very wide terminal."""
    wide = set((await printed("400")).split())
    for width in WIDTHS:
        narrow = await printed(width)
        missing = {word for word in wide - set(narrow.split()) if not set(word) & set("─━·")}
        assert missing <= headings, f"{width}: {missing}\n{narrow}"


@pytest.mark.parametrize("command", READINGS, ids=" ".join)
async def test_a_narrow_terminal_shows_every_word_untruncated(
    command: tuple[str, ...],
    services: OperatedServices,
    headings: set[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await visits_of_one_user(services)
    otto = ops_on(services, capsys, name="otto")
    await otto("discard", IDS["noise"], "--reason", "only noise, owner told", "--yes")
    ops = ops_on(services, capsys)

    async def printed(columns: str | None) -> str:
        set_width(monkeypatch, columns)
        return (await ops(*command)).out

    await assert_whole(printed, headings)


@pytest.mark.parametrize("command", CHANGES, ids=" ".join)
async def test_the_result_of_a_change_is_untruncated_at_every_width(
    command: tuple[str, ...],
    headings: set[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def printed(columns: str | None) -> str:
        set_width(monkeypatch, columns)
        services = OperatedServices()
        await visits_of_one_user(services)
        return (await ops_on(services, capsys)(*command, "--yes")).out

    await assert_whole(printed, headings)


def set_width(monkeypatch: pytest.MonkeyPatch, columns: str | None) -> None:
    if columns is None:  # no width is known, because the output is not a terminal
        monkeypatch.delenv("COLUMNS", raising=False)
    else:
        monkeypatch.setenv("COLUMNS", columns)


@pytest.mark.parametrize("width", [40, 60, 80])
async def test_only_a_line_with_an_overlong_word_is_wider_than_the_terminal(
    width: int,
    services: OperatedServices,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    await visits_of_one_user(services)
    ops = ops_on(services, capsys)
    for command in READINGS:
        for line in (await ops(*command)).out.splitlines():
            if line.startswith("  scripts/ops"):  # a command to copy is one line
                continue
            longest = max((len(word) for word in line.split()), default=0)
            assert len(line) <= width or longest + 2 > width, (command, line)


NAMES = ("visit", "user", "trouble")
CELLS = st.text("abcde-_ 0", min_size=1, max_size=60).map(str.strip).filter(bool)


@given(
    rows=st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=4),
    width=st.integers(10, 200),
)
def test_a_listing_of_any_width_keeps_every_word(
    rows: list[tuple[str, str, str]], width: int
) -> None:
    listing = Listing(*NAMES)
    for row in rows:
        listing.add_row(*row)
    console = Console(width=width, record=True, file=StringIO())
    print_whole(console, [listing])
    printed = console.export_text().split()
    for row in rows:
        for cell in row:
            for word in cell.split():
                assert word in printed


def test_an_empty_list_prints_none() -> None:
    listing = Listing(*NAMES)
    listing.caption = "none"
    console = Console(width=30, record=True, file=StringIO())
    print_whole(console, [listing])
    assert "none" in console.export_text()
