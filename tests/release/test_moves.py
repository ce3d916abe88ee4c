"""Any course of pins, deployments, canaries and rollbacks, over Cloud Run's traffic settings."""

import re
import shlex
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from infra.release import moves
from infra.release.cli import parser
from infra.release.moves import LeftAlone, NotMoved
from infra.release.traffic import Argv, Place, Serving
from tests.release.cloud_run import CloudRun
from tests.support.examples import examples

PLACE = Place("demo", "europe-west3")
API = "on-transcription-webhook"  # the longest name: a tag and its service have 46 letters together


class Course(RuleBasedStateMachine):
    """One service, and what its operator knows: what is good, what was rolled back, what is new."""

    def __init__(self) -> None:
        super().__init__()
        self.cloud = CloudRun({})
        self.made = 0
        self.good = ""
        self.rolled_back: set[str] = set()
        self.pinned = False
        self.new: str | None = None

    @initialize()
    def first_deployment(self) -> None:
        self.cloud.create(API, "00000-rev")
        self.good = f"{API}-00000-rev"

    def serving(self) -> Serving:
        return Serving.of(self.cloud.describe(API))

    def run(self, argv: Argv) -> None:
        assert argv[:5] == ("gcloud", "run", "services", "update-traffic", API)
        self.cloud.update_traffic(API, list(argv[5:]))

    def shares(self) -> dict[str, int]:
        return self.cloud.shares(API)

    @rule()
    def pin(self) -> None:
        before = self.shares()
        try:
            self.run(moves.pin(PLACE, self.serving()))
        except LeftAlone:
            pass
        except NotMoved:
            return
        assert self.shares() == before, "a pin moves no request"
        (self.good,) = before
        self.pinned = True
        if self.new == self.good:
            self.new = None

    @rule(ready=st.booleans())
    def deploy(self, ready: bool) -> None:
        """As Terraform does, with `all_traffic_on_latest_revision = false`."""
        before = self.shares()
        self.made += 1
        name = self.cloud.deploy(API, f"{self.made:05}-rev", ready=ready)
        if self.pinned:
            assert self.shares() == before, "a deployment moves no request of a pinned service"
            if ready:
                self.new = name
        elif ready:
            self.good = name  # nothing else is known of a service that follows LATEST

    @rule(percent=st.sampled_from([10, 25, 50, 100]), again=st.booleans())
    def canary(self, percent: int, again: bool) -> None:
        before = self.shares()
        try:
            self.run(moves.canary(PLACE, self.serving(), percent, again=again))
        except (LeftAlone, NotMoved):
            assert self.shares() == before
            return
        assert self.pinned
        assert self.new is not None
        assert again or self.new not in self.rolled_back
        self.rolled_back.discard(self.new)
        assert self.shares() == {
            name: share
            for name, share in {self.new: percent, self.good: 100 - percent}.items()
            if share
        }

    @rule(leave=st.sampled_from([0, 0, 10, 50]))
    def rollback(self, leave: int) -> None:
        before = self.shares()
        kept = min(leave, before.get(self.new, 0)) if self.new else 0
        try:
            self.run(moves.rollback(PLACE, self.serving(), leave=leave))
        except LeftAlone:
            assert before.get(self.good) == 100 - kept
            return
        except NotMoved:
            assert leave or not self.pinned
            return
        lost = before.keys() - self.shares().keys()
        if not lost and not kept and self.new is not None:
            lost = {self.new}
        self.rolled_back |= lost
        assert self.shares().get(self.good) == 100 - kept
        assert self.good not in self.rolled_back

    @invariant()
    def all_requests_are_served_by_ready_revisions(self) -> None:
        if self.made or self.good:
            assert sum(self.shares().values()) == 100
            state: Any = self.cloud.state[API]["revisions"]
            assert set(self.shares()) <= {each["name"] for each in state if each["ready"]}

    @invariant()
    def the_last_good_release_stays_until_the_next_pin(self) -> None:
        if self.pinned:
            assert self.serving().last_good == self.good

    @invariant()
    def tags_stay_few_and_short(self) -> None:
        if self.good:
            targets = self.cloud.state[API]["traffic"]
            tags = [each["tag"] for each in targets if each.get("tag")]
            assert all(len(API) + len(tag) <= 46 for tag in tags)
            rolled_back_since_the_pin = self.made + 1
            assert len(tags) <= 1 + rolled_back_since_the_pin


TestCourse = Course.TestCase
TestCourse.settings = hypothesis_settings(max_examples=examples(150), stateful_step_count=20)


def described(service: str = "api", newest: str = "2", **status: Any) -> Serving:
    told = {"latestReadyRevisionName": f"{service}-{newest}", **status}
    return Serving.of({"metadata": {"name": service}, "status": told})


@pytest.mark.parametrize(
    ("traffic", "percent", "follows_latest"),
    [
        ([{"latestRevision": True, "revisionName": "api-2", "percent": 100}], {"api-2": 100}, True),
        ([{"revisionName": "api-2", "percent": 100}], {"api-2": 100}, False),
        (
            [
                {"latestRevision": True, "revisionName": "api-2", "percent": 10},
                {"revisionName": "api-2", "percent": 30},
                {"revisionName": "api-1", "percent": 60},
            ],
            {"api-2": 40, "api-1": 60},
            True,
        ),
        (
            [
                {"revisionName": "api-1", "percent": 100, "tag": "last-good"},
                {"revisionName": "api-2", "tag": "blue"},
                {"latestRevision": True, "revisionName": "api-2", "tag": "green", "percent": 0},
            ],
            {"api-1": 100},
            False,
        ),
    ],
)
def test_the_shares_of_all_targets_of_a_revision_are_added_up(
    traffic: list[dict[str, Any]], percent: dict[str, int], follows_latest: bool
) -> None:
    found = described(traffic=traffic)
    assert (found.percent, found.follows_latest) == (percent, follows_latest)


def of(newest: str, shares: dict[str, int], good: str | None = None, **more: Any) -> Serving:
    return Serving("api", newest, shares, last_good=good, **more)


@pytest.mark.parametrize(
    ("serving", "to"),
    [
        (of("api-3", {"api-3": 100}, "api-1"), "api-1"),
        (of("api-3", {"api-3": 10, "api-2": 90}, "api-2"), "api-2"),
        # Moved by hand, and never pinned: the release that still has traffic is known to work.
        (of("api-3", {"api-3": 10, "api-2": 90}), "api-2"),
        (of("api-3", {"api-3": 10, "api-2": 90}, "api-1"), "api-2"),
        (of("api-4", {"api-4": 10, "api-3": 10, "api-2": 80}, "api-2"), "api-2"),
        # One at 100 % that no pin declared good, and a newer one without traffic.
        (of("api-3", {"api-2": 100}, "api-1"), "api-1"),
        # The newest is the last good one, and a person gave an older one a share.
        (of("api-3", {"api-3": 50, "api-2": 50}, "api-3"), "api-3"),
    ],
)
def test_a_rollback_goes_to_the_last_good_release(serving: Serving, to: str) -> None:
    assert f"--to-revisions={to}=100" in moves.rollback(PLACE, serving)


@pytest.mark.parametrize(
    "serving",
    [
        of("api-4", {"api-4": 100}),
        of("api-4", {"api-4": 10, "api-3": 10, "api-2": 80}),
        of("api-4", {"api-4": 10, "api-3": 90}, "api-3", rolled_back=("api-3",)),
        # A person went back from the last good release: a move to it would be one forward.
        of("api-3", {"api-2": 100}, "api-3"),
    ],
)
def test_a_rollback_guesses_nothing(serving: Serving) -> None:
    with pytest.raises(NotMoved):
        moves.rollback(PLACE, serving)


def test_a_pin_is_refused_at_a_revision_that_was_rolled_back() -> None:
    serving = of("api-3", {"api-3": 100}, "api-2", rolled_back=("api-3",))
    with pytest.raises(NotMoved):
        moves.pin(PLACE, serving)


def test_a_revision_that_another_was_to_replace_is_no_canary() -> None:
    """api-4 is the release, and it is not ready; api-3 was never meant to serve."""
    serving = of("api-3", {"api-2": 100}, "api-2", unready="api-4")
    with pytest.raises(LeftAlone, match="api-4 is not ready"):
        moves.canary(PLACE, serving, 10)


def test_a_canary_under_way_goes_on_beside_a_deployment_that_fails() -> None:
    serving = of("api-3", {"api-3": 10, "api-2": 90}, "api-2", unready="api-4")
    assert "--to-revisions=api-3=25,api-2=75" in moves.canary(PLACE, serving, 25)


def test_a_share_that_follows_latest_is_no_canary_whatever_was_pinned_once() -> None:
    """Terraform was applied with `all_traffic_on_latest_revision = true` meanwhile."""
    serving = of("api-3", {"api-3": 100}, "api-2", follows_latest=True)
    with pytest.raises(NotMoved, match="follows LATEST"):
        moves.canary(PLACE, serving, 10)


def test_the_rest_of_a_canary_goes_to_the_last_good_release_alone() -> None:
    """api-2 took all traffic, and no pin declared it good: a rollback would not go back to it."""
    with pytest.raises(NotMoved, match="not pinned"):
        moves.canary(PLACE, of("api-3", {"api-2": 100}, "api-1"), 10)


def test_a_release_that_has_all_traffic_is_no_canary_of_a_stage() -> None:
    with pytest.raises(LeftAlone, match="has all traffic already"):
        moves.canary(PLACE, of("api-3", {"api-3": 100}, "api-2"), 10)


@pytest.mark.parametrize("shares", [{"api-3": 100}, {"api-3": 10, "api-2": 90}, {"api-2": 100}])
def test_a_rollback_notes_what_it_rolled_back(shares: dict[str, int]) -> None:
    argv = moves.rollback(PLACE, of("api-3", shares, "api-2"))
    assert "--update-tags=last-good=api-2,not-3=api-2" in argv


def test_a_gradual_rollback_has_rolled_nothing_back_yet() -> None:
    argv = moves.rollback(PLACE, of("api-3", {"api-3": 100}, "api-2"), leave=50)
    assert "--to-revisions=api-3=50,api-2=50" in argv
    assert "--update-tags=last-good=api-2" in argv


@pytest.mark.parametrize(
    ("shares", "noted"),
    [
        # A fix, api-4, was deployed over a canary with a fault.
        ({"api-3": 10, "api-2": 90}, "not-3=api-2"),
        ({"api-3": 100}, "not-3=api-2"),
        ({"api-4": 10, "api-3": 10, "api-2": 80}, "not-4=api-2,not-3=api-2"),
    ],
)
def test_a_rollback_notes_what_loses_its_traffic(shares: dict[str, int], noted: str) -> None:
    argv = moves.rollback(PLACE, of("api-4", shares, "api-2"))
    assert f"--update-tags=last-good=api-2,{noted}" in argv


def test_a_gradual_rollback_never_gives_the_newest_more_than_it_has() -> None:
    with pytest.raises(LeftAlone, match="has 10 %"):
        moves.rollback(PLACE, of("api-3", {"api-3": 10, "api-2": 90}, "api-2"), leave=50)
    with pytest.raises(LeftAlone, match="has no traffic"):
        moves.rollback(PLACE, of("api-3", {"api-2": 100}, "api-2"), leave=50)
    with pytest.raises(NotMoved, match="without --leave"):
        moves.rollback(PLACE, of("api-4", {"api-3": 10, "api-2": 90}, "api-2"), leave=50)
    three = of("api-4", {"api-4": 10, "api-3": 10, "api-2": 80}, "api-2")
    argv = moves.rollback(PLACE, three, leave=25)
    assert "--to-revisions=api-4=10,api-2=90" in argv
    assert "--update-tags=last-good=api-2,not-3=api-2" in argv


def test_a_revision_that_is_named_is_rolled_back_no_more() -> None:
    serving = of("api-3", {"api-2": 100}, "api-2", rolled_back=("api-3",))
    argv = moves.rollback(PLACE, serving, to="api-3")
    assert "--to-revisions=api-3=100" in argv
    assert "--update-tags=last-good=api-3,not-2=api-3" in argv
    assert "--remove-tags=not-3" in argv


def test_a_release_under_way_is_named_to_whoever_deploys_over_it() -> None:
    """A pin would refuse it as well."""
    serving = of("api-4", {"api-3": 10, "api-2": 90}, "api-2")
    with pytest.raises(NotMoved, match="api-3 is under way") as told:
        moves.canary(PLACE, serving, 10)
    assert "pin" not in str(told.value)


def test_going_back_by_hand_is_not_undone_by_a_rollback() -> None:
    with pytest.raises(NotMoved, match="is the newest") as told:
        moves.rollback(PLACE, of("api-3", {"api-2": 100}, "api-3"))
    assert PLACE.command("pin", "--only", "api", "--yes") in str(told.value)
    argv = moves.rollback(PLACE, of("api-3", {"api-2": 100}, "api-3"), to="api-3")
    assert "--to-revisions=api-3=100" in argv


@pytest.mark.parametrize(
    ("newest", "unready", "advised"),
    [
        ("api-00001-aaa", None, "scripts/release pin --only api --yes"),
        ("api-00002-bbb", None, "scripts/release rollback --only api --to REVISION --yes"),
        ("api-00001-aaa", "api-00002-bbb", "scripts/release rollback --only api --to"),
    ],
)
def test_only_a_service_of_one_revision_is_a_new_function(
    newest: str, unready: str | None, advised: str
) -> None:
    serving = of(newest, {newest: 100}, follows_latest=True, unready=unready)
    with pytest.raises(NotMoved) as told:
        moves.canary(PLACE, serving, 10)
    assert advised in str(told.value)


HINTING = [
    lambda: moves.pin(PLACE, of("api-3", {"api-3": 10, "api-2": 90}, "api-2")),
    lambda: moves.pin(PLACE, of("api-3", {"api-3": 100}, "api-2", rolled_back=("api-3",))),
    lambda: moves.canary(PLACE, of("api-3", {"api-3": 100}, follows_latest=True), 10),
    lambda: moves.canary(PLACE, of("api-3", {"api-2": 100}, "api-1"), 10),
    lambda: moves.canary(PLACE, of("api-3", {"api-2": 50, "api-1": 50}), 10),
    lambda: moves.canary(PLACE, of("api-4", {"api-3": 10, "api-2": 90}, "api-2"), 10),
    lambda: moves.canary(PLACE, of("api-3", {"api-3": 100}, "api-2"), 10),
    lambda: moves.canary(PLACE, of("api-3", {"api-2": 100}, "api-2", rolled_back=("api-3",)), 10),
    lambda: moves.rollback(PLACE, of("api-3", {"api-3": 100})),
    lambda: moves.rollback(PLACE, of("api-3", {"api-3": 100}, "api-2", rolled_back=("api-2",))),
]


@pytest.mark.parametrize("move", HINTING)
def test_a_command_that_is_advised_can_be_typed_as_printed(move: Callable[[], Argv]) -> None:
    with pytest.raises((LeftAlone, NotMoved)) as told:
        move()
    found = re.findall(
        r"scripts/release (.*? --project demo --region europe-west3)", str(told.value)
    )
    assert len(found) == str(told.value).count("scripts/release") == 1
    parser().parse_args(shlex.split(found[0]))  # exits where it is none
