"""`pin` and `canary` move the traffic of every service, on a simulated gcloud."""

import shlex

import pytest

from infra.local.stack import ENTRY_POINTS
from infra.release.cli import main
from infra.release.traffic import services
from tests.release.gcloud_program import NEW, OLD, SOME, WHERE, Gcloud, do


def test_every_entry_point_is_a_service_of_the_release_command() -> None:
    assert {name.replace("-", "_") for name in services()} == set(ENTRY_POINTS)


def test_without_a_pin_a_deployment_takes_all_traffic(gcloud: Gcloud) -> None:
    """Terraform's `all_traffic_on_latest_revision = false` does not stop traffic to LATEST."""
    gcloud.terraform(NEW)
    assert gcloud.shares("api") == {NEW: 100}


def test_after_a_pin_a_deployment_receives_no_traffic(deployed: Gcloud) -> None:
    for service in SOME:
        assert deployed.shares(service) == {OLD: 100}
        assert deployed.tags(service) == {"last-good": OLD}


def test_a_pin_makes_one_call_per_service_and_a_second_pin_makes_no_call(gcloud: Gcloud) -> None:
    assert main(["pin", "--yes", *WHERE]) == main(["pin", "--yes", *WHERE]) == 0
    assert gcloud.changes() == [
        [
            *("run", "services", "update-traffic", name, "--project=demo", "--region=europe-west3"),
            *(f"--to-revisions={name}-{OLD}=100", f"--update-tags=last-good={name}-{OLD}"),
            "--quiet",
        ]
        for name in services()
    ]


def test_a_function_that_is_not_deployed_is_skipped_by_a_pin(
    gcloud: Gcloud, capsys: pytest.CaptureFixture[str]
) -> None:
    gcloud.cloud(lambda cloud: cloud.state.pop("api"))
    assert do("pin") == 0
    assert "# api: is not deployed" in capsys.readouterr().out
    assert len(gcloud.changes()) == len(SOME) - 1


def test_a_pin_during_a_canary_is_refused(deployed: Gcloud) -> None:
    assert do("canary", "10") == 0
    assert do("pin") == 1
    assert deployed.tags("api") == {"last-good": OLD}


@pytest.mark.parametrize("percent", [10, 25, 50])
def test_a_canary_receives_the_named_share_of_every_service(percent: int, deployed: Gcloud) -> None:
    assert do("canary", str(percent)) == 0
    for service in SOME:
        assert deployed.shares(service) == {NEW: percent, OLD: 100 - percent}


def test_canary_100_gives_all_traffic_to_the_newest_revision(deployed: Gcloud) -> None:
    assert do("canary", "50") == do("canary", "100") == 0
    assert {str(deployed.shares(service)) for service in SOME} == {str({NEW: 100})}


def test_a_canary_without_an_earlier_pin_is_refused_and_moves_no_traffic(
    gcloud: Gcloud, capsys: pytest.CaptureFixture[str]
) -> None:
    gcloud.terraform(NEW)
    assert do("canary", "10") == 1
    assert gcloud.changes() == []
    assert "it was not pinned" in capsys.readouterr().out


def test_a_canary_is_refused_if_the_serving_release_was_not_pinned(deployed: Gcloud) -> None:
    """A canary shares traffic only with the pinned release, so the serving one must be pinned."""
    assert do("canary", "100") == 0  # without a pin afterwards
    deployed.terraform("00003-ccc")
    assert do("canary", "10") == 1
    assert deployed.shares("api") == {NEW: 100}


def test_a_canary_moves_no_service_if_any_service_cannot_be_moved(deployed: Gcloud) -> None:
    deployed.cloud(lambda cloud: cloud.create("summarize-visit"))
    pinned = len(deployed.changes())
    assert do("canary", "10") == 1
    assert len(deployed.changes()) == pinned


@pytest.mark.parametrize("state", ["unready", "unchanged"])
def test_a_service_without_a_new_ready_revision_is_skipped(
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


def test_a_canary_without_a_new_revision_fails(gcloud: Gcloud) -> None:
    """This happens if the pin came after the deployment."""
    assert do("pin") == 0
    assert do("canary", "10") == 1


def test_a_refused_canary_says_if_the_newest_has_all_traffic_or_was_rolled_back(
    deployed: Gcloud, capsys: pytest.CaptureFixture[str]
) -> None:
    assert do("canary", "100") == 0
    capsys.readouterr()
    assert do("canary", "100") == 1
    assert "has all traffic already: nothing to move" in capsys.readouterr().out
    assert do("rollback") == 0
    capsys.readouterr()
    assert do("canary", "10") == 1
    assert "was not rolled back: nothing to move" in capsys.readouterr().out


def test_without_yes_the_gcloud_commands_are_printed_and_not_run(
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


@pytest.mark.parametrize("percent", ["0", "11", "101", "many"])
def test_a_canary_percentage_other_than_10_25_50_or_100_is_refused(
    percent: str, gcloud: Gcloud
) -> None:
    with pytest.raises(SystemExit):
        do("canary", percent)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["pin"], "--update-tags=last-good=api-LAST-GOOD"),
        (["canary", "10"], "--to-revisions=api-NEWEST=10,api-LAST-GOOD=90"),
        (["rollback"], "--to-revisions=api-LAST-GOOD=100"),
        (["rollback", "--leave", "50"], "--to-revisions=api-NEWEST=50,api-LAST-GOOD=50"),
    ],
)
def test_without_a_gcloud_account_the_commands_are_printed_and_not_run(
    gcloud: Gcloud, capsys: pytest.CaptureFixture[str], words: list[str], shown: str
) -> None:
    gcloud.set_state(account="")
    assert do(*words) == 2
    assert main([*words, *WHERE]) == 0
    assert shown in capsys.readouterr().out
    assert gcloud.changes() == []


def test_the_default_region_of_a_release_comes_from_the_environment(
    gcloud: Gcloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_REGION", "europe-west3")
    assert main(["pin", "--yes", "--only", "api", "--project", "demo"]) == 0
    assert "--region=europe-west3" in gcloud.changes()[-1]


def test_the_plan_names_every_function_and_pins_before_the_deployment(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["plan", *WHERE]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in services())
    assert all(f"canary {percent} " in printed for percent in (10, 25, 50, 100))
    assert len(next(line for line in printed.splitlines() if "sha256" in line).split()[-1]) == 64
    pinned, applied = printed.index("scripts/release pin"), printed.index("terraform -chdir")
    assert pinned < applied < printed.index("canary 10 ")
    assert printed.rindex("scripts/release pin") > printed.index("canary 100 ")
