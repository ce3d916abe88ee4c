"""`rollback`: to the last good release, and never to one that was rolled back."""

import sys

import pytest

from infra.ops.pipes import CLOSED
from infra.release.cli import USAGE, main
from tests.operations.test_cli_ends import into_a_closed_pipe
from tests.release.gcloud_program import NEW, OLD, SOME, WHERE, Gcloud, do


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


def test_one_service_alone_can_be_moved(deployed: Gcloud) -> None:
    assert do("canary", "10") == 0
    moves = len(deployed.changes())
    assert do("rollback", "--only", "api") == 0
    assert [call[3] for call in deployed.changes()[moves:]] == ["api"]


@pytest.mark.parametrize("command", [["rollback"], ["canary", "100"], ["pin"]])
def test_a_reader_that_closes_the_pipe_stops_no_move(command: list[str], deployed: Gcloud) -> None:
    """As `| head -1` does; half of a rollback would leave the other half with the fault."""
    assert do("canary", "10") == 0
    if command == ["pin"]:
        assert do("canary", "100") == 0
    only = [f"--only={service}" for service in SOME]
    program = [sys.executable, "-m", "infra.release", *command, *only, "--yes", *WHERE]
    ended = into_a_closed_pipe(program, stderr_too=False)
    assert (ended.returncode, ended.stderr) == (CLOSED, b"")
    for service in SOME:
        assert len(deployed.shares(service)) == 1
    if command == ["pin"]:
        assert [deployed.tags(each)["last-good"] for each in SOME] == [NEW] * len(SOME)


def test_a_release_that_was_rolled_back_and_is_named_is_good_again(deployed: Gcloud) -> None:
    assert do("canary", "100") == do("rollback") == 0
    assert do("rollback", "--only", "api", "--to", f"api-{NEW}") == 0
    assert deployed.shares("api") == {NEW: 100}
    assert deployed.tags("api") == {"last-good": NEW, f"not-{OLD}": NEW}
    assert do("pin", "--only", "api") == do("rollback", "--only", "api") == 0
    assert deployed.tags("api") == {"last-good": NEW}


def test_a_service_goes_back_to_a_revision_of_its_own(
    deployed: Gcloud, capsys: pytest.CaptureFixture[str]
) -> None:
    before = len(deployed.changes())
    assert do("rollback", "--only", "api", "--to", f"summarize-visit-{OLD}") == USAGE
    assert "is no revision of api" in capsys.readouterr().err
    assert len(deployed.changes()) == before
