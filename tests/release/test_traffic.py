"""`pin`, `canary` and `rollback` of every service, with a gcloud that answers as Cloud Run does."""

import os
import shlex
from pathlib import Path

import pytest

from infra.local.stack import ENTRY_POINTS
from infra.release.cli import main
from infra.release.traffic import services
from tests.release.gcloud_program import Gcloud

WHERE = ["--project", "demo", "--region", "europe-west3"]
OLD, NEW = "00001-aaa", "00002-bbb"
SOME = ["api", "summarize-visit", "wake-due-visits"]
"""Of every service alike: a call of gcloud takes time, and three show what six would."""


@pytest.fixture
def gcloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gcloud:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return Gcloud(tmp_path)


def do(*words: str) -> int:
    """The exit code of a command for some services, unless it names its own."""
    only = [] if "--only" in words else [f"--only={service}" for service in SOME]
    return main([*words, *only, "--yes", *WHERE])


@pytest.fixture
def deployed(gcloud: Gcloud) -> Gcloud:
    """Pinned, and then deployed: every service has a new revision without traffic."""
    assert do("pin") == 0
    gcloud.terraform(NEW)
    return gcloud


def test_every_entry_point_is_a_service() -> None:
    assert {name.replace("-", "_") for name in services()} == set(ENTRY_POINTS)


def test_without_a_pin_a_deployment_takes_all_traffic(gcloud: Gcloud) -> None:
    """Terraform's `all_traffic_on_latest_revision = false` keeps settings that follow LATEST."""
    gcloud.terraform(NEW)
    assert gcloud.shares("api") == {NEW: 100}


def test_a_pin_keeps_all_traffic_where_it_is(deployed: Gcloud) -> None:
    for service in SOME:
        assert deployed.shares(service) == {OLD: 100}
        assert deployed.tags(service) == {"last-good": OLD}


def test_a_pin_is_one_call_a_service_and_the_second_one_none(gcloud: Gcloud) -> None:
    assert main(["pin", "--yes", *WHERE]) == main(["pin", "--yes", *WHERE]) == 0
    assert gcloud.changes() == [
        [
            *("run", "services", "update-traffic", name, "--project=demo", "--region=europe-west3"),
            *(f"--to-revisions={name}-{OLD}=100", f"--update-tags=last-good={name}-{OLD}"),
            "--quiet",
        ]
        for name in services()
    ]


def test_a_function_that_is_yet_to_be_made_has_nothing_to_pin(
    gcloud: Gcloud, capsys: pytest.CaptureFixture[str]
) -> None:
    gcloud.cloud(lambda cloud: cloud.state.pop("api"))
    assert do("pin") == 0
    assert "# api: is not deployed" in capsys.readouterr().out
    assert len(gcloud.changes()) == len(SOME) - 1


def test_a_release_that_is_under_way_is_not_pinned(deployed: Gcloud) -> None:
    assert do("canary", "10") == 0
    assert do("pin") == 1
    assert deployed.tags("api") == {"last-good": OLD}


@pytest.mark.parametrize("percent", [10, 25, 50])
def test_a_canary_receives_the_named_share_of_every_service(percent: int, deployed: Gcloud) -> None:
    assert do("canary", str(percent)) == 0
    for service in SOME:
        assert deployed.shares(service) == {NEW: percent, OLD: 100 - percent}


def test_the_last_stage_gives_everything_to_the_newest(deployed: Gcloud) -> None:
    assert do("canary", "50") == do("canary", "100") == 0
    assert {str(deployed.shares(service)) for service in SOME} == {str({NEW: 100})}


def test_a_canary_that_was_not_pinned_is_refused_and_moves_nothing(
    gcloud: Gcloud, capsys: pytest.CaptureFixture[str]
) -> None:
    gcloud.terraform(NEW)
    assert do("canary", "10") == 1
    assert gcloud.changes() == []
    assert "it was not pinned" in capsys.readouterr().out


def test_a_pin_of_an_older_release_does_not_count(deployed: Gcloud) -> None:
    """The rest of a canary's traffic goes to the release that served before it, and to no other."""
    assert do("canary", "100") == 0  # and no pin after it
    deployed.terraform("00003-ccc")
    assert do("canary", "10") == 1
    assert deployed.shares("api") == {NEW: 100}


def test_a_canary_moves_no_service_if_one_cannot_be_moved(deployed: Gcloud) -> None:
    deployed.cloud(lambda cloud: cloud.create("summarize-visit"))
    pinned = len(deployed.changes())
    assert do("canary", "10") == 1
    assert len(deployed.changes()) == pinned


@pytest.mark.parametrize("state", ["unready", "unchanged"])
def test_a_service_without_a_new_ready_revision_is_left_alone(
    gcloud: Gcloud, state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert do("pin") == 0
    gcloud.terraform(NEW, **{state: "api"})
    for step in (("canary", "10"), ("canary", "25"), ("canary", "100"), ("rollback",)):
        assert do(*step) == 0
        assert "# api is left alone" in capsys.readouterr().out
        assert gcloud.shares("api") == {OLD: 100}
    assert gcloud.shares("summarize-visit") == {OLD: 100}
    moved = [call[3] for call in gcloud.changes()[len(SOME) :]]
    assert "api" not in moved
    assert len(moved) == 4 * (len(SOME) - 1)


def test_a_canary_of_no_service_is_no_success(gcloud: Gcloud) -> None:
    """Such as after a pin that came after the deployment."""
    assert do("pin") == 0
    assert do("canary", "10") == 1


@pytest.mark.parametrize("stages", [[], ["10"], ["10", "25", "50"], ["100"]])
def test_a_rollback_gives_everything_to_the_last_good_release(
    stages: list[str], deployed: Gcloud
) -> None:
    for stage in stages:
        assert do("canary", stage) == 0
    assert do("rollback") == 0
    for service in SOME:
        assert deployed.shares(service) == {OLD: 100}
    moves = len(deployed.changes())
    assert do("rollback") == 0
    assert len(deployed.changes()) == moves, "the second one has nothing to do"


def test_a_rollback_can_be_gradual(deployed: Gcloud) -> None:
    assert do("canary", "100") == 0
    assert do("rollback", "--leave", "50") == 0
    assert deployed.shares("api") == {NEW: 50, OLD: 50}
    assert do("rollback", "--leave", "10") == 0
    assert deployed.shares("api") == {NEW: 10, OLD: 90}
    assert do("rollback") == 0
    assert deployed.shares("api") == {OLD: 100}


def test_after_a_rollback_the_next_release_never_goes_back_to_the_one_rolled_back(
    deployed: Gcloud,
) -> None:
    assert do("canary", "10") == do("rollback") == 0
    assert do("pin") == 0
    deployed.terraform("00003-ccc")
    assert do("canary", "25") == do("canary", "100") == 0
    assert do("rollback") == 0
    for service in SOME:
        assert deployed.shares(service) == {OLD: 100}


def test_a_revision_that_was_rolled_back_is_no_canary_again_unless_it_is_said(
    deployed: Gcloud,
) -> None:
    """The next release may lack a new revision of a service: then the newest is the bad one."""
    assert do("canary", "10") == do("rollback") == do("pin") == 0
    deployed.terraform("00003-ccc", unchanged="api", unready="summarize-visit")
    assert do("canary", "10") == 0
    assert deployed.shares("api") == deployed.shares("summarize-visit") == {OLD: 100}
    assert deployed.shares("wake-due-visits") == {"00003-ccc": 10, OLD: 90}
    assert do("rollback") == 0

    assert do("canary", "10", "--again", "--only", "api") == 0
    assert deployed.shares("api") == {NEW: 10, OLD: 90}
    assert do("canary", "100", "--only", "api") == do("pin", "--only", "api") == 0
    assert deployed.tags("api") == {"last-good": NEW}


def test_a_pin_at_the_end_makes_the_new_release_the_last_good_one(deployed: Gcloud) -> None:
    assert do("canary", "100") == do("pin") == 0
    assert {str(deployed.tags(service)) for service in SOME} == {str({"last-good": NEW})}
    deployed.terraform("00003-ccc")
    assert do("canary", "10") == do("rollback") == 0
    assert deployed.shares("api") == {NEW: 100}


def test_a_revision_with_a_fault_has_no_address(deployed: Gcloud) -> None:
    """A tag makes one, and the API is open to callers outside."""
    assert do("canary", "10") == do("rollback") == 0
    assert deployed.tags("api") == {"last-good": OLD, f"not-{NEW}": OLD}


def test_what_was_never_pinned_has_no_last_good_release_and_one_may_be_named(
    gcloud: Gcloud,
) -> None:
    gcloud.terraform(NEW)
    gcloud.terraform("00003-ccc")
    assert do("rollback") == 1
    assert gcloud.changes() == []
    assert main(["rollback", "--to", f"api-{OLD}", *WHERE]) == 2, "of which service?"
    assert do("rollback", "--only", "api", "--to", f"api-{OLD}") == 0
    assert gcloud.shares("api") == {OLD: 100}


def test_without_yes_nothing_is_changed_and_the_commands_are_shown(
    deployed: Gcloud, capsys: pytest.CaptureFixture[str]
) -> None:
    pinned = len(deployed.changes())
    capsys.readouterr()
    assert main(["canary", "10", *(f"--only={each}" for each in SOME), *WHERE]) == 0
    assert len(deployed.changes()) == pinned
    shown = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("#")]
    assert [shlex.split(line)[:2] for line in shown] == [["gcloud", "run"]] * len(SOME)

    assert do("canary", "10") == 0
    assert [shlex.split(line)[1:] for line in shown] == deployed.changes()[pinned:]


def test_a_service_that_refuses_keeps_none_of_the_others(
    deployed: Gcloud, capsys: pytest.CaptureFixture[str]
) -> None:
    assert do("canary", "10") == 0
    deployed.stands(refused=["api"])
    assert do("rollback") == 1
    assert [deployed.shares(each) for each in SOME[1:]] == [{OLD: 100}] * 2
    assert "permission denied" in capsys.readouterr().out


def test_the_first_release_has_nothing_to_go_back_to(gcloud: Gcloud) -> None:
    assert do("rollback") == 1
    assert gcloud.changes() == []


@pytest.mark.parametrize("percent", ["0", "11", "101", "many"])
def test_there_are_four_stages_and_no_other(percent: str, gcloud: Gcloud) -> None:
    with pytest.raises(SystemExit):
        do("canary", percent)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["pin"], "--update-tags=last-good=api-LAST-GOOD"),
        (["canary", "10"], "--to-revisions=api-NEWEST=10,api-LAST-GOOD=90"),
        (["rollback"], "--to-revisions=api-LAST-GOOD=100"),
    ],
)
def test_before_a_sign_in_nothing_is_changed_and_the_commands_are_shown(
    gcloud: Gcloud, capsys: pytest.CaptureFixture[str], words: list[str], shown: str
) -> None:
    gcloud.stands(account="")
    assert do(*words) == 2
    assert main([*words, *WHERE]) == 0
    assert shown in capsys.readouterr().out
    assert gcloud.changes() == []


def test_one_service_alone_can_be_moved(deployed: Gcloud) -> None:
    assert do("canary", "10") == 0
    moves = len(deployed.changes())
    assert do("rollback", "--only", "api") == 0
    assert [call[3] for call in deployed.changes()[moves:]] == ["api"]


def test_the_plan_names_what_would_be_deployed_and_pins_before_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["plan", *WHERE]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in services())
    assert all(f"canary {percent} " in said for percent in (10, 25, 50, 100))
    assert len(next(line for line in said.splitlines() if "sha256" in line).split()[-1]) == 64
    pinned, applied = said.index("scripts/release pin"), said.index("terraform -chdir")
    assert pinned < applied < said.index("canary 10 ")
    assert said.rindex("scripts/release pin") > said.index("canary 100 ")
