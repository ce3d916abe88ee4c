"""The switches themselves: a closed list, and rollouts that are even and stable."""

import pytest
from pydantic import ValidationError

from lumimd.policies.flags import PER_USER, Flags, Setting, Switch, share

USERS = [f"user-{number}" for number in range(100_000)]


def test_what_is_not_said_is_on() -> None:
    flags = Flags.from_stored({})
    assert all(flags.is_on_for(switch, "anybody") for switch in Switch)


def test_the_document_names_the_switches_of_the_list_and_no_other() -> None:
    assert set(Flags.model_fields) == {switch.value for switch in Switch} | {"order_cap"}
    assert set(Switch) >= PER_USER


def test_what_a_newer_release_can_switch_is_ignored() -> None:
    flags = Flags.from_stored({"ofTheNextRelease": {"on": False}, "webhooks": {"on": False}})
    assert not flags.is_on(Switch.WEBHOOKS)
    assert flags.is_on(Switch.PROCESSING)


@pytest.mark.parametrize("percent", [-1, 101, "some"])
def test_a_percentage_is_one(percent: object) -> None:
    with pytest.raises(ValidationError):
        Flags.from_stored({"processing": {"percent": percent}})


@pytest.mark.parametrize("percent", [10, 25, 50])
def test_a_percentage_of_100_000_users_is_met_within_one(percent: int) -> None:
    flags = Flags(processing=Setting(percent=percent))
    among = sum(flags.is_on_for(Switch.PROCESSING, user) for user in USERS)
    assert abs(among / len(USERS) * 100 - percent) <= 1


def test_nobody_falls_out_when_the_percentage_grows() -> None:
    before: set[str] = set()
    for percent in (0, 1, 10, 25, 50, 99.9, 100):
        flags = Flags(processing=Setting(percent=percent))
        among = {user for user in USERS[:2_000] if flags.is_on_for(Switch.PROCESSING, user)}
        assert among == {user for user in USERS[:2_000] if flags.is_on_for(Switch.PROCESSING, user)}
        assert before <= among
        before = among
    assert len(before) == 2_000


def test_nobody_is_among_zero_percent_and_nobody_among_what_is_off() -> None:
    for setting in (Setting(percent=0), Setting(on=False)):
        flags = Flags(processing=setting)
        assert not any(flags.is_on_for(Switch.PROCESSING, user) for user in USERS[:2_000])


def test_two_rollouts_choose_independently() -> None:
    one, other = Switch.PROCESSING, Switch.SUMMARIES_BY_MODEL
    both = sum(share(one, user) < 0.5 and share(other, user) < 0.5 for user in USERS)
    assert abs(both / len(USERS) - 0.25) < 0.01


def test_a_user_stays_where_they_are_from_release_to_release() -> None:
    """Written down, so that a change of the hash is seen: it would move users between the arms."""
    assert [round(share(Switch.PROCESSING, f"user-{n}"), 4) for n in range(3)] == [
        0.7549,
        0.6725,
        0.9992,
    ]
