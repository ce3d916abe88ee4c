"""A complete release from plan to last pin, on simulated gcloud and Cloud Monitoring."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.cloud import monitoring_v3

from infra.ops.exits import FAILED, OK, USAGE
from infra.release.cli import main
from infra.release.compare import Recommendation
from infra.release.measures import Measures
from infra.release.traffic import services
from lumimd.domain.visit import Stage
from tests.release.gcloud_program import Gcloud
from tests.release.monitoring import Monitoring, client_of, histogram, user

WHERE = ["--project", "demo", "--region", "europe-west3"]
OLD, BAD, NEW = "00001-old", "00002-bad", "00003-new"


@pytest.fixture
def old(gcloud: Gcloud) -> Gcloud:
    """Deploy the same old release of every service."""
    for service in services():
        gcloud.cloud(lambda cloud, service=service: cloud.create(service, OLD))
    return gcloud


@pytest.fixture
def monitoring(monkeypatch: pytest.MonkeyPatch) -> Iterator[Monitoring]:
    monitoring = Monitoring()
    with client_of(monitoring) as client:
        monkeypatch.setattr(monitoring_v3, "MetricServiceClient", lambda: client)
        yield monitoring


def do(*words: str) -> int:
    return main([*words, "--yes", *WHERE])


def gate(*words: str) -> int:
    return main(["gate", "--cloud", *words, *WHERE])


def record_ended(monitoring: Monitoring, suffix: str, *, completed: int, failed: int) -> None:
    """Record the visits that a release has ended, in the metrics of its revisions."""
    revision = f"summarize-visit-{suffix}"
    for outcome, count in (("completed", completed), ("failed", failed)):
        labels, value = {"outcome": outcome}, {"int64_value": count}
        monitoring.add(user("visits_ended"), labels, value, revision=revision)
    quick = histogram([1_000], [completed])
    for stage in Stage:
        monitoring.add(user("stage_delay"), {"stage": stage.value}, quick, revision=revision)
    monitoring.add(user("visit_duration"), {}, quick, revision=revision)


def shares(gcloud: Gcloud) -> dict[str, dict[str, int]]:
    return {service: gcloud.shares(service) for service in services()}


def all_services_have(gcloud: Gcloud, wanted: dict[str, int]) -> bool:
    return all(found == wanted for found in shares(gcloud).values())


def test_a_bad_release_is_rolled_back_and_the_next_release_reaches_all_traffic(
    old: Gcloud, monitoring: Monitoring, capsys: pytest.CaptureFixture[str]
) -> None:
    gcloud = old
    monitoring.add("cloudtasks.googleapis.com/queue/depth", {}, {"int64_value": 3})
    record_ended(monitoring, OLD, completed=900, failed=0)

    # This release is rolled back, because 40 % of the canary's visits fail (4 % of all visits).
    assert main(["plan", *WHERE]) == OK
    assert do("pin") == OK
    gcloud.terraform(BAD)
    assert all_services_have(gcloud, {OLD: 100}), "deployed without traffic"
    assert do("canary", "10") == OK
    assert all_services_have(gcloud, {OLD: 90, BAD: 10})
    record_ended(monitoring, BAD, completed=60, failed=40)
    capsys.readouterr()
    assert gate() == FAILED
    printed = capsys.readouterr().out
    assert "60.00%" in printed
    assert f"judged: api-{BAD}" in printed
    assert OLD not in printed
    assert do("rollback") == OK
    assert all_services_have(gcloud, {OLD: 100})
    assert gate() == FAILED, "no canary to judge"

    # In the next release one service has no new revision, and another service is not ready.
    assert do("pin") == OK
    gcloud.terraform(NEW, unchanged="on-audio-finalized", unready="enforce-retention")
    assert do("canary", "10") == OK
    alone = {"on-audio-finalized", "enforce-retention"}
    for service, found in shares(gcloud).items():
        assert found == ({OLD: 100} if service in alone else {OLD: 90, NEW: 10})
    capsys.readouterr()
    assert gate() == FAILED, "no visit has ended yet"
    assert "judged: on-audio-finalized" not in capsys.readouterr().out
    record_ended(monitoring, NEW, completed=99, failed=1)
    assert gate("--save", str(gcloud.folder / "b.json")) == OK
    assert do("canary", "25") == OK
    assert gcloud.shares("api") == {OLD: 75, NEW: 25}
    assert do("rollback") == OK
    assert all_services_have(gcloud, {OLD: 100}), "to the last good release"

    # The release was good after all and continues to the last stage.
    assert main(["canary", "10", "--again", *WHERE]) == USAGE, (
        "the newest of one service is the bad one"
    )
    only = [f"--only={service}" for service in services() if service not in alone]
    for stage in ("10", "25", "50", "100"):
        assert do("canary", stage, "--again", *only) == OK
    assert gcloud.shares("api") == {NEW: 100}
    assert do("pin") == OK
    for service in services():
        good = OLD if service in alone else NEW
        assert (gcloud.shares(service), gcloud.tags(service)["last-good"]) == ({good: 100}, good)

    measured = Measures.read((gcloud.folder / "b.json").read_text())
    assert {name.rpartition("-00003")[0] for name in measured.revisions} == set(services()) - alone


def test_both_sides_of_a_canary_are_measured_and_compared(
    old: Gcloud, monitoring: Monitoring, capsys: pytest.CaptureFixture[str]
) -> None:
    gcloud = old
    record_ended(monitoring, OLD, completed=500, failed=1)
    record_ended(monitoring, BAD, completed=90, failed=10)
    assert do("pin") == OK
    gcloud.terraform(BAD)
    assert do("canary", "25") == OK
    a, b = str(gcloud.folder / "a.json"), str(gcloud.folder / "b.json")
    gate("--of", "last-good", "--save", a)
    gate("--of", "canary", "--save", b)
    capsys.readouterr()
    main(["compare", a, b, "--json"])
    assert json.loads(capsys.readouterr().out)["recommendation"] == Recommendation.ROLL_BACK


def test_measures_without_revisions_do_not_pass_the_gate(tmp_path: Path) -> None:
    values = {
        "outcomes": {"completed": 96, "failed": 4},
        "stageDelaysMs": {stage.value: [1000.0] * 100 for stage in Stage},
        "queueDepths": [0],
    }
    file = tmp_path / "total.json"
    file.write_text(json.dumps(values))
    assert main(["gate", "--metrics", str(file)]) == FAILED
    file.write_text(json.dumps({**values, "revisions": ["summarize-visit-00002-bad"]}))
    assert main(["gate", "--metrics", str(file)]) == OK


def test_the_gate_names_a_service_that_is_not_deployed(
    gcloud: Gcloud, monitoring: Monitoring, capsys: pytest.CaptureFixture[str]
) -> None:
    gcloud.cloud(lambda cloud: cloud.state.pop("enforce-retention"))
    assert gate() == FAILED
    assert capsys.readouterr().err == "enforce-retention: is not deployed\n"


def test_the_gate_on_cloud_metrics_needs_a_gcloud_account_or_named_revisions(
    gcloud: Gcloud, monitoring: Monitoring, capsys: pytest.CaptureFixture[str]
) -> None:
    gcloud.set_state(account="")
    assert gate() == FAILED
    assert "--revision NAME" in capsys.readouterr().err
    assert monitoring.requests == []
    record_ended(monitoring, NEW, completed=99, failed=1)
    monitoring.add("cloudtasks.googleapis.com/queue/depth", {}, {"int64_value": 3})
    assert gate("--revision", f"summarize-visit-{NEW}") == OK
