"""Feature flags are a closed list, and percentage rollouts are even and stable."""

import pytest
from pydantic import ValidationError

from lumimd.policies.flags import PER_USER, Flags, Setting, Switch, share

USERS = [f"user-{number}" for number in range(100_000)]


def test_a_switch_without_a_stored_setting_is_on() -> None:
    flags = Flags.from_stored({})
    assert all(flags.is_on_for(switch, "user-1") for switch in Switch)


def test_the_flags_document_has_exactly_the_listed_switches_and_the_order_cap() -> None:
    assert set(Flags.model_fields) == {switch.value for switch in Switch} | {"order_cap"}
    assert set(Switch) >= PER_USER


def test_a_switch_of_a_newer_release_is_ignored() -> None:
    flags = Flags.from_stored({"ofTheNextRelease": {"on": False}, "webhooks": {"on": False}})
    assert not flags.is_on(Switch.WEBHOOKS)
    assert flags.is_on(Switch.PROCESSING)


@pytest.mark.parametrize("percent", [-1, 101, "some"])
def test_a_percentage_outside_0_to_100_is_refused(percent: object) -> None:
    with pytest.raises(ValidationError):
        Flags.from_stored({"processing": {"percent": percent}})


@pytest.mark.parametrize("percent", [10, 25, 50])
def test_a_rollout_of_100_000_users_is_within_one_percent(percent: int) -> None:
    flags = Flags(processing=Setting(percent=percent))
    among = sum(flags.is_on_for(Switch.PROCESSING, user) for user in USERS)
    assert abs(among / len(USERS) * 100 - percent) <= 1


def test_a_growing_percentage_keeps_every_included_user() -> None:
    before: set[str] = set()
    for percent in (0, 1, 10, 25, 50, 99.9, 100):
        flags = Flags(processing=Setting(percent=percent))
        among = {user for user in USERS[:2_000] if flags.is_on_for(Switch.PROCESSING, user)}
        assert among == {user for user in USERS[:2_000] if flags.is_on_for(Switch.PROCESSING, user)}
        assert before <= among
        before = among
    assert len(before) == 2_000


def test_zero_percent_and_off_include_no_user() -> None:
    for setting in (Setting(percent=0), Setting(on=False)):
        flags = Flags(processing=setting)
        assert not any(flags.is_on_for(Switch.PROCESSING, user) for user in USERS[:2_000])


def test_two_rollouts_choose_users_independently() -> None:
    one, other = Switch.PROCESSING, Switch.SUMMARIES_BY_MODEL
    both = sum(share(one, user) < 0.5 and share(other, user) < 0.5 for user in USERS)
    assert abs(both / len(USERS) - 0.25) < 0.01


def test_the_rollout_share_of_a_user_is_the_same_in_every_release() -> None:
    """The values are fixed, because a changed hash would move users in or out of a rollout."""
    assert [round(share(Switch.PROCESSING, f"user-{n}"), 4) for n in range(3)] == [
        0.7549,
        0.6725,
        0.9992,
    ]
