"""Any sequence of pins, deployments, canaries and rollbacks leaves valid traffic settings."""

import re
import shlex
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from infra.release.cli import parser
from infra.release.traffic import Argv, Serving, Target
from infra.release.traffic_commands import CannotMove, Skipped, canary, pin, rollback
from tests.release.cloud_run import CloudRun
from tests.support.examples import examples

TARGET = Target("demo", "europe-west3")
# The longest service name, because a tag and its service may have 46 characters together.
API = "on-transcription-webhook"


class Releases(RuleBasedStateMachine):
    """A model of one service with its last good, rolled back and new revisions."""

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
            self.run(pin(TARGET, self.serving()))
        except Skipped:
            pass
        except CannotMove:
            return
        assert self.shares() == before, "a pin moves no traffic"
        (self.good,) = before
        self.pinned = True
        if self.new == self.good:
            self.new = None

    @rule(ready=st.booleans())
    def deploy(self, ready: bool) -> None:
        """Deploy as Terraform does, with `all_traffic_on_latest_revision = false`."""
        before = self.shares()
        self.made += 1
        name = self.cloud.deploy(API, f"{self.made:05}-rev", ready=ready)
        if self.pinned:
            assert self.shares() == before, "a deployment moves no traffic of a pinned service"
            if ready:
                self.new = name
        elif ready:
            self.good = name  # the traffic follows LATEST

    @rule(percent=st.sampled_from([10, 25, 50, 100]), again=st.booleans())
    def canary(self, percent: int, again: bool) -> None:
        before = self.shares()
        try:
            self.run(canary(TARGET, self.serving(), percent, again=again))
        except (Skipped, CannotMove):
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
            self.run(rollback(TARGET, self.serving(), leave=leave))
        except Skipped:
            assert before.get(self.good) == 100 - kept
            return
        except CannotMove:
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


TestReleases = Releases.TestCase
TestReleases.settings = hypothesis_settings(max_examples=examples(150), stateful_step_count=20)


def described(service: str = "api", newest: str = "2", **status: Any) -> Serving:
    status = {"latestReadyRevisionName": f"{service}-{newest}", **status}
    return Serving.of({"metadata": {"name": service}, "status": status})


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
        # A person moved traffic without a pin, so that the release that still has traffic is good.
        (of("api-3", {"api-3": 10, "api-2": 90}), "api-2"),
        (of("api-3", {"api-3": 10, "api-2": 90}, "api-1"), "api-2"),
        (of("api-4", {"api-4": 10, "api-3": 10, "api-2": 80}, "api-2"), "api-2"),
        # No pin marked api-2 with 100 % as good, and the newer api-3 has no traffic.
        (of("api-3", {"api-2": 100}, "api-1"), "api-1"),
        # The newest release is the last good one, and a person gave an older release a share.
        (of("api-3", {"api-3": 50, "api-2": 50}, "api-3"), "api-3"),
    ],
)
def test_a_rollback_goes_to_the_last_good_release(serving: Serving, to: str) -> None:
    assert f"--to-revisions={to}=100" in rollback(TARGET, serving)


@pytest.mark.parametrize(
    "serving",
    [
        of("api-4", {"api-4": 100}),
        of("api-4", {"api-4": 10, "api-3": 10, "api-2": 80}),
        of("api-4", {"api-4": 10, "api-3": 90}, "api-3", rolled_back=("api-3",)),
        # A person rolled back from the last good release, so that a move to it would be a release.
        of("api-3", {"api-2": 100}, "api-3"),
    ],
)
def test_a_rollback_without_a_certain_last_good_release_is_refused(serving: Serving) -> None:
    with pytest.raises(CannotMove):
        rollback(TARGET, serving)


def test_a_pin_is_refused_at_a_revision_that_was_rolled_back() -> None:
    serving = of("api-3", {"api-3": 100}, "api-2", rolled_back=("api-3",))
    with pytest.raises(CannotMove):
        pin(TARGET, serving)


def test_a_canary_is_skipped_while_the_newest_revision_is_not_ready() -> None:
    """The new release is api-4, which is not ready; api-3 must not replace it as the canary."""
    serving = of("api-3", {"api-2": 100}, "api-2", unready="api-4")
    with pytest.raises(Skipped, match="api-4 is not ready"):
        canary(TARGET, serving, 10)


def test_a_canary_continues_while_a_later_deployment_fails() -> None:
    serving = of("api-3", {"api-3": 10, "api-2": 90}, "api-2", unready="api-4")
    assert "--to-revisions=api-3=25,api-2=75" in canary(TARGET, serving, 25)


def test_a_canary_is_refused_while_traffic_follows_latest_despite_an_earlier_pin() -> None:
    """Terraform was applied with `all_traffic_on_latest_revision = true` after the pin."""
    serving = of("api-3", {"api-3": 100}, "api-2", follows_latest=True)
    with pytest.raises(CannotMove, match="follows LATEST"):
        canary(TARGET, serving, 10)


def test_a_canary_is_refused_if_another_release_than_the_last_good_one_serves() -> None:
    """api-2 has all traffic without a pin, so that a rollback would not go to api-2."""
    with pytest.raises(CannotMove, match="not pinned"):
        canary(TARGET, of("api-3", {"api-2": 100}, "api-1"), 10)


def test_a_canary_of_a_release_with_all_traffic_is_skipped() -> None:
    with pytest.raises(Skipped, match="has all traffic already"):
        canary(TARGET, of("api-3", {"api-3": 100}, "api-2"), 10)


@pytest.mark.parametrize("shares", [{"api-3": 100}, {"api-3": 10, "api-2": 90}, {"api-2": 100}])
def test_a_rollback_tags_the_revision_that_it_rolled_back(shares: dict[str, int]) -> None:
    argv = rollback(TARGET, of("api-3", shares, "api-2"))
    assert "--update-tags=last-good=api-2,not-3=api-2" in argv


def test_a_gradual_rollback_tags_no_revision_as_rolled_back() -> None:
    argv = rollback(TARGET, of("api-3", {"api-3": 100}, "api-2"), leave=50)
    assert "--to-revisions=api-3=50,api-2=50" in argv
    assert "--update-tags=last-good=api-2" in argv


@pytest.mark.parametrize(
    ("shares", "tagged"),
    [
        # A fix, api-4, was deployed over a faulty canary.
        ({"api-3": 10, "api-2": 90}, "not-3=api-2"),
        ({"api-3": 100}, "not-3=api-2"),
        ({"api-4": 10, "api-3": 10, "api-2": 80}, "not-4=api-2,not-3=api-2"),
    ],
)
def test_a_rollback_tags_each_revision_that_loses_its_traffic(
    shares: dict[str, int], tagged: str
) -> None:
    argv = rollback(TARGET, of("api-4", shares, "api-2"))
    assert f"--update-tags=last-good=api-2,{tagged}" in argv


def test_a_gradual_rollback_never_raises_the_share_of_the_newest_revision() -> None:
    with pytest.raises(Skipped, match="has 10 %"):
        rollback(TARGET, of("api-3", {"api-3": 10, "api-2": 90}, "api-2"), leave=50)
    with pytest.raises(Skipped, match="has no traffic"):
        rollback(TARGET, of("api-3", {"api-2": 100}, "api-2"), leave=50)
    with pytest.raises(CannotMove, match="without --leave"):
        rollback(TARGET, of("api-4", {"api-3": 10, "api-2": 90}, "api-2"), leave=50)
    three = of("api-4", {"api-4": 10, "api-3": 10, "api-2": 80}, "api-2")
    argv = rollback(TARGET, three, leave=25)
    assert "--to-revisions=api-4=10,api-2=90" in argv
    assert "--update-tags=last-good=api-2,not-3=api-2" in argv


def test_a_rollback_to_a_named_revision_removes_its_rolled_back_tag() -> None:
    serving = of("api-3", {"api-2": 100}, "api-2", rolled_back=("api-3",))
    argv = rollback(TARGET, serving, to="api-3")
    assert "--to-revisions=api-3=100" in argv
    assert "--update-tags=last-good=api-3,not-2=api-3" in argv
    assert "--remove-tags=not-3" in argv


def test_a_canary_during_another_canary_is_refused_with_the_name_of_the_other() -> None:
    """The message must not advise a pin, because the pin would be refused as well."""
    serving = of("api-4", {"api-3": 10, "api-2": 90}, "api-2")
    with pytest.raises(CannotMove, match="api-3 is under way") as refused:
        canary(TARGET, serving, 10)
    assert "pin" not in str(refused.value)


def test_a_rollback_after_a_manual_rollback_is_refused_unless_it_names_a_revision() -> None:
    with pytest.raises(CannotMove, match="is the newest") as refused:
        rollback(TARGET, of("api-3", {"api-2": 100}, "api-3"))
    assert TARGET.command("pin", "--only", "api", "--yes") in str(refused.value)
    argv = rollback(TARGET, of("api-3", {"api-2": 100}, "api-3"), to="api-3")
    assert "--to-revisions=api-3=100" in argv


@pytest.mark.parametrize(
    ("newest", "unready", "advised"),
    [
        ("api-00001-aaa", None, "scripts/release pin --only api --yes"),
        ("api-00002-bbb", None, "scripts/release rollback --only api --to REVISION --yes"),
        ("api-00001-aaa", "api-00002-bbb", "scripts/release rollback --only api --to"),
    ],
)
def test_a_canary_without_a_pin_advises_a_pin_only_for_a_service_of_one_revision(
    newest: str, unready: str | None, advised: str
) -> None:
    serving = of(newest, {newest: 100}, follows_latest=True, unready=unready)
    with pytest.raises(CannotMove) as refused:
        canary(TARGET, serving, 10)
    assert advised in str(refused.value)


HINTING = [
    lambda: pin(TARGET, of("api-3", {"api-3": 10, "api-2": 90}, "api-2")),
    lambda: pin(TARGET, of("api-3", {"api-3": 100}, "api-2", rolled_back=("api-3",))),
    lambda: canary(TARGET, of("api-3", {"api-3": 100}, follows_latest=True), 10),
    lambda: canary(TARGET, of("api-3", {"api-2": 100}, "api-1"), 10),
    lambda: canary(TARGET, of("api-3", {"api-2": 50, "api-1": 50}), 10),
    lambda: canary(TARGET, of("api-4", {"api-3": 10, "api-2": 90}, "api-2"), 10),
    lambda: canary(TARGET, of("api-3", {"api-3": 100}, "api-2"), 10),
    lambda: canary(TARGET, of("api-3", {"api-2": 100}, "api-2", rolled_back=("api-3",)), 10),
    lambda: rollback(TARGET, of("api-3", {"api-3": 100})),
    lambda: rollback(TARGET, of("api-3", {"api-3": 100}, "api-2", rolled_back=("api-2",))),
]


@pytest.mark.parametrize("move", HINTING)
def test_an_advised_command_can_be_typed_as_printed(move: Callable[[], Argv]) -> None:
    with pytest.raises((Skipped, CannotMove)) as refused:
        move()
    found = re.findall(
        r"scripts/release (.*? --project demo --region europe-west3)", str(refused.value)
    )
    assert len(found) == str(refused.value).count("scripts/release") == 1
    parser().parse_args(shlex.split(found[0]))  # exits on a usage error
