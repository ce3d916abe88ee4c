"""`rollback` goes to the last good release, and never to a release that was rolled back."""

import sys

import pytest

from infra.ops.exits import CLOSED_PIPE, USAGE
from infra.release.cli import main
from tests.operations.test_cli_ends import into_a_closed_pipe
from tests.release.gcloud_program import NEW, OLD, SOME, WHERE, Gcloud, do


@pytest.mark.parametrize("stages", [[], ["10"], ["10", "25", "50"], ["100"]])
def test_a_rollback_gives_all_traffic_to_the_last_good_release(
    stages: list[str], deployed: Gcloud
) -> None:
    for stage in stages:
        assert do("canary", stage) == 0
    assert do("rollback") == 0
    for service in SOME:
        assert deployed.shares(service) == {OLD: 100}
    changes = len(deployed.changes())
    assert do("rollback") == 0
    assert len(deployed.changes()) == changes, "the second rollback changes nothing"


def test_rollback_with_leave_moves_traffic_back_gradually(deployed: Gcloud) -> None:
    assert do("canary", "100") == 0
    assert do("rollback", "--leave", "50") == 0
    assert deployed.shares("api") == {NEW: 50, OLD: 50}
    assert do("rollback", "--leave", "10") == 0
    assert deployed.shares("api") == {NEW: 10, OLD: 90}
    assert do("rollback") == 0
    assert deployed.shares("api") == {OLD: 100}


def test_the_next_rollback_never_goes_to_a_release_that_was_rolled_back(
    deployed: Gcloud,
) -> None:
    assert do("canary", "10") == do("rollback") == 0
    assert do("pin") == 0
    deployed.terraform("00003-ccc")
    assert do("canary", "25") == do("canary", "100") == 0
    assert do("rollback") == 0
    for service in SOME:
        assert deployed.shares(service) == {OLD: 100}


def test_a_revision_that_was_rolled_back_becomes_a_canary_only_with_again(
    deployed: Gcloud,
) -> None:
    """If the next release has no new revision of a service, the newest revision is the bad one."""
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


def test_a_pin_after_the_last_stage_makes_the_new_release_the_last_good_release(
    deployed: Gcloud,
) -> None:
    assert do("canary", "100") == do("pin") == 0
    assert {str(deployed.tags(service)) for service in SOME} == {str({"last-good": NEW})}
    deployed.terraform("00003-ccc")
    assert do("canary", "10") == do("rollback") == 0
    assert deployed.shares("api") == {NEW: 100}


def test_a_revision_that_was_rolled_back_has_no_tag_and_so_no_public_url(deployed: Gcloud) -> None:
    """A tag on the bad revision would give it a public URL, so the tag is on the good revision."""
    assert do("canary", "10") == do("rollback") == 0
    assert deployed.tags("api") == {"last-good": OLD, f"not-{NEW}": OLD}


def test_a_service_without_a_pin_goes_back_only_to_a_named_revision(
    gcloud: Gcloud,
) -> None:
    gcloud.terraform(NEW)
    gcloud.terraform("00003-ccc")
    assert do("rollback") == 1
    assert gcloud.changes() == []
    assert main(["rollback", "--to", f"api-{OLD}", *WHERE]) == 2, "--only is missing"
    assert do("rollback", "--only", "api", "--to", f"api-{OLD}") == 0
    assert gcloud.shares("api") == {OLD: 100}


def test_a_rollback_that_fails_for_one_service_still_moves_the_other_services(
    deployed: Gcloud, capsys: pytest.CaptureFixture[str]
) -> None:
    assert do("canary", "10") == 0
    deployed.set_state(refused=["api"])
    assert do("rollback") == 1
    assert [deployed.shares(each) for each in SOME[1:]] == [{OLD: 100}] * 2
    assert "permission denied" in capsys.readouterr().out


def test_a_rollback_of_the_first_release_is_refused(gcloud: Gcloud) -> None:
    assert do("rollback") == 1
    assert gcloud.changes() == []


def test_rollback_with_only_moves_one_service(deployed: Gcloud) -> None:
    assert do("canary", "10") == 0
    changes = len(deployed.changes())
    assert do("rollback", "--only", "api") == 0
    assert [call[3] for call in deployed.changes()[changes:]] == ["api"]


@pytest.mark.parametrize("command", [["rollback"], ["canary", "100"], ["pin"]])
def test_a_command_whose_output_pipe_is_closed_still_moves_every_service(
    command: list[str], deployed: Gcloud
) -> None:
    """A reader such as `| head -1` must not leave some services on the bad release."""
    assert do("canary", "10") == 0
    if command == ["pin"]:
        assert do("canary", "100") == 0
    only = [f"--only={service}" for service in SOME]
    program = [sys.executable, "-m", "infra.release", *command, *only, "--yes", *WHERE]
    ended = into_a_closed_pipe(program, stderr_too=False)
    assert (ended.returncode, ended.stderr) == (CLOSED_PIPE, b"")
    for service in SOME:
        assert len(deployed.shares(service)) == 1
    if command == ["pin"]:
        assert [deployed.tags(each)["last-good"] for each in SOME] == [NEW] * len(SOME)


def test_a_rollback_to_a_named_release_and_a_pin_remove_its_rolled_back_tag(
    deployed: Gcloud,
) -> None:
    assert do("canary", "100") == do("rollback") == 0
    assert do("rollback", "--only", "api", "--to", f"api-{NEW}") == 0
    assert deployed.shares("api") == {NEW: 100}
    assert deployed.tags("api") == {"last-good": NEW, f"not-{OLD}": NEW}
    assert do("pin", "--only", "api") == do("rollback", "--only", "api") == 0
    assert deployed.tags("api") == {"last-good": NEW}


def test_a_rollback_to_a_revision_of_another_service_is_refused(
    deployed: Gcloud, capsys: pytest.CaptureFixture[str]
) -> None:
    before = len(deployed.changes())
    assert do("rollback", "--only", "api", "--to", f"summarize-visit-{OLD}") == USAGE
    assert "is no revision of api" in capsys.readouterr().err
    assert len(deployed.changes()) == before
