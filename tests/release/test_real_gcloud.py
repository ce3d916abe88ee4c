"""The real gcloud, on a Cloud Run that is served here: it does what the stand-in for it does."""

import copy
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.release import gcloud, moves
from infra.release.traffic import Argv, Place, Serving
from tests.release.cloud_run import CloudRun
from tests.release.cloud_run_api import served
from tests.terraform.conftest import missing

PLACE = Place("demo", "europe-west3")
OLD, NEW = "api-00001-aaa", "api-00002-bbb"


def test_the_real_gcloud_pins_moves_and_rolls_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("gcloud") is None:
        missing("gcloud is not installed: https://cloud.google.com/sdk")
    cloud = CloudRun({})
    cloud.create("api")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))

    def moved(move: Callable[[Serving], Argv]) -> dict[str, int]:
        """The shares after the real gcloud made a move; the stand-in must come to the same."""
        argv = move(gcloud.serving(PLACE, "api", ask=True))
        stand_in = CloudRun(copy.deepcopy(cloud.state))
        gcloud.run(argv)
        stand_in.update_traffic("api", list(argv[5:]))
        assert _sorted(cloud) == _sorted(stand_in)
        return cloud.shares("api")

    with served(cloud) as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        assert moved(lambda it: moves.pin(PLACE, it)) == {OLD: 100}
        cloud.deploy("api", "00002-bbb")
        assert moved(lambda it: moves.canary(PLACE, it, 10)) == {OLD: 90, NEW: 10}
        assert moved(lambda it: moves.rollback(PLACE, it)) == {OLD: 100}
        assert moved(lambda it: moves.canary(PLACE, it, 25, again=True)) == {OLD: 75, NEW: 25}
        with pytest.raises(gcloud.NoService):
            gcloud.serving(PLACE, "no-such-function", ask=True)


def _sorted(cloud: CloudRun) -> list[str]:
    return sorted(map(str, cloud.describe("api")["status"]["traffic"]))
