"""The real gcloud on a local Cloud Run API moves the same traffic as the simulated gcloud."""

import copy
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.release import gcloud
from infra.release.traffic import Argv, Serving, Target
from infra.release.traffic_commands import canary, pin, rollback
from tests.release.cloud_run import CloudRun
from tests.release.cloud_run_api import served
from tests.terraform.conftest import missing

TARGET = Target("demo", "europe-west3")
OLD, NEW = "api-00001-aaa", "api-00002-bbb"


def test_the_real_gcloud_moves_traffic_like_the_simulated_gcloud(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("gcloud") is None:
        missing("gcloud is not installed: https://cloud.google.com/sdk")
    cloud = CloudRun({})
    cloud.create("api")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))

    def moved(move: Callable[[Serving], Argv]) -> dict[str, int]:
        """Move traffic with the real gcloud, compare with the simulation, and return the shares."""
        argv = move(gcloud.serving(TARGET, "api", ask=True))
        simulated = CloudRun(copy.deepcopy(cloud.state))
        gcloud.run(argv)
        simulated.update_traffic("api", list(argv[5:]))
        assert _sorted(cloud) == _sorted(simulated)
        return cloud.shares("api")

    with served(cloud) as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        assert moved(lambda it: pin(TARGET, it)) == {OLD: 100}
        cloud.deploy("api", "00002-bbb")
        assert moved(lambda it: canary(TARGET, it, 10)) == {OLD: 90, NEW: 10}
        assert moved(lambda it: rollback(TARGET, it)) == {OLD: 100}
        assert moved(lambda it: canary(TARGET, it, 25, again=True)) == {
            OLD: 75,
            NEW: 25,
        }
        with pytest.raises(gcloud.NoService):
            gcloud.serving(TARGET, "no-such-function", ask=True)


def _sorted(cloud: CloudRun) -> list[str]:
    return sorted(map(str, cloud.describe("api")["status"]["traffic"]))
