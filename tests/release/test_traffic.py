"""Canary and rollback, with a gcloud that notes what it is told."""

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.local.stack import ENTRY_POINTS
from infra.release.cli import main
from infra.release.traffic import services

GCLOUD = (
    f"#!{sys.executable} -IS"
    + """
import json, pathlib, sys
told = pathlib.Path(sys.argv[0]).with_name("told")
with told.open("a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
state = json.loads(pathlib.Path(sys.argv[0]).with_name("state").read_text())
words = sys.argv[1:]
if words[:2] == ["auth", "list"]:
    print(state["account"])
elif words[:3] == ["run", "services", "describe"]:
    service = words[3]
    print(json.dumps({"metadata": {"name": service}, "status": {
        "latestReadyRevisionName": service + "-00003-new",
        "traffic": [{"revisionName": service + "-" + name, "percent": percent}
                    for name, percent in state["traffic"].items()]}}))
elif words[:3] == ["run", "revisions", "list"]:
    service = next(w for w in words if w.startswith("--service=")).removeprefix("--service=")
    print("\\n".join(service + "-" + name for name in state["revisions"]))
elif words[:3] == ["run", "services", "update-traffic"] and words[3] in state["refused"]:
    sys.exit("permission denied")
"""
)
WHERE = ["--project", "demo", "--region", "europe-west3"]


class Gcloud:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state: dict[str, Any] = {
            "account": "operator@example.com",
            "traffic": {"00002-old": 100},
            "revisions": ["00003-new", "00002-old", "00001-older"],
            "refused": [],
        }
        program = folder / "gcloud"
        program.write_text(GCLOUD)
        program.chmod(0o755)
        self.stands()

    def stands(self, **state: Any) -> None:
        self.state |= state
        (self.folder / "state").write_text(json.dumps(self.state))

    def changes(self) -> list[list[str]]:
        lines = (self.folder / "told").read_text().splitlines()
        calls = [json.loads(line) for line in lines]
        return [call for call in calls if "update-traffic" in call]


@pytest.fixture
def gcloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gcloud:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return Gcloud(tmp_path)


def test_every_entry_point_is_a_service() -> None:
    assert {name.replace("-", "_") for name in services()} == set(ENTRY_POINTS)


@pytest.mark.parametrize("percent", [10, 25, 50])
def test_a_stage_splits_the_traffic_of_every_service(percent: int, gcloud: Gcloud) -> None:
    assert main(["canary", str(percent), "--yes", *WHERE]) == 0
    assert gcloud.changes() == [
        [
            *("run", "services", "update-traffic", name, "--project=demo", "--region=europe-west3"),
            f"--to-revisions={name}-00003-new={percent},{name}-00002-old={100 - percent}",
            "--quiet",
        ]
        for name in services()
    ]


def test_the_last_stage_gives_everything_to_the_newest(gcloud: Gcloud) -> None:
    gcloud.stands(traffic={"00003-new": 50, "00002-old": 50})
    assert main(["canary", "100", "--yes", *WHERE]) == 0
    assert {call[-2] for call in gcloud.changes()} == {
        f"--to-revisions={name}-00003-new=100" for name in services()
    }


@pytest.mark.parametrize(
    "traffic",
    [
        {"00002-old": 100},
        {"00003-new": 10, "00002-old": 90},
        {"00003-new": 100},
        {"00003-new": 90, "00002-old": 10},
    ],
)
def test_a_rollback_gives_everything_to_the_revision_before(
    traffic: dict[str, int], gcloud: Gcloud
) -> None:
    gcloud.stands(traffic=traffic)
    assert main(["rollback", "--yes", *WHERE]) == 0
    assert {call[-2] for call in gcloud.changes()} == {
        f"--to-revisions={name}-00002-old=100" for name in services()
    }


def test_the_revision_that_has_traffic_is_the_one_before_however_old_it_is(gcloud: Gcloud) -> None:
    """A release that was skipped between them is not known to work."""
    gcloud.stands(traffic={"00003-new": 10, "00001-older": 90})
    assert main(["rollback", "--yes", *WHERE]) == 0
    assert gcloud.changes()[0][-2] == f"--to-revisions={services()[0]}-00001-older=100"


def test_without_yes_nothing_is_changed_and_the_commands_are_shown(
    gcloud: Gcloud, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["canary", "10", *WHERE]) == 0
    assert gcloud.changes() == []
    shown = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("#")]
    assert [shlex.split(line)[:2] for line in shown] == [["gcloud", "run"]] * len(services())

    assert main(["canary", "10", "--yes", *WHERE]) == 0
    assert [shlex.split(line)[1:] for line in shown] == gcloud.changes()


def test_a_service_that_refuses_keeps_none_of_the_others(
    gcloud: Gcloud, capsys: pytest.CaptureFixture[str]
) -> None:
    gcloud.stands(refused=[services()[0]])
    assert main(["rollback", "--yes", *WHERE]) == 1
    assert len(gcloud.changes()) == len(services())
    assert "permission denied" in capsys.readouterr().out


def test_the_first_release_has_nothing_to_go_back_to(gcloud: Gcloud) -> None:
    gcloud.stands(traffic={"00003-new": 100}, revisions=["00003-new"])
    assert main(["rollback", "--yes", *WHERE]) == 1
    assert gcloud.changes() == []


@pytest.mark.parametrize("percent", ["0", "11", "101", "many"])
def test_there_are_four_stages_and_no_other(percent: str, gcloud: Gcloud) -> None:
    with pytest.raises(SystemExit):
        main(["canary", percent, "--yes", *WHERE])


def test_who_has_not_signed_in_changes_nothing_and_sees_the_commands(
    gcloud: Gcloud, capsys: pytest.CaptureFixture[str]
) -> None:
    gcloud.stands(account="")
    assert main(["rollback", "--yes", *WHERE]) == 2
    assert main(["rollback", *WHERE]) == 0
    assert "api-BEFORE=100" in capsys.readouterr().out
    assert gcloud.changes() == []


def test_one_service_alone_can_be_moved(gcloud: Gcloud) -> None:
    assert main(["rollback", "--yes", "--only", "api", *WHERE]) == 0
    assert [call[3] for call in gcloud.changes()] == ["api"]


def test_the_plan_names_what_would_be_deployed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", *WHERE]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in services())
    assert all(f"canary {percent} " in said for percent in (10, 25, 50, 100))
    assert len(next(line for line in said.splitlines() if "sha256" in line).split()[-1]) == 64
