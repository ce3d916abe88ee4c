"""The parser of `scripts/ops` refuses invalid arguments with a sentence and exit code 2."""

import pytest

from infra.ops.cli import main, parser
from infra.ops.exits import USAGE
from infra.ops.invocation import Invocation

OF_A_VISIT = [
    ["show"],
    ["retry"],
    ["rerun", "--from", "summary"],
    ["hold", "--reason", "case 17"],
    ["release", "--reason", "case 17"],
    ["urgent"],
    ["delete"],
    ["discard", "--reason", "only noise"],
]


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["--project", "demo", *arguments])
    assert ended.value.code == USAGE
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("words", OF_A_VISIT, ids=lambda words: words[0])
@pytest.mark.parametrize("visit", ["a/b", "", ".", "..", "__x__", "v" * 129])
def test_an_invalid_visit_id_is_refused(
    words: list[str], visit: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "is no id of a visit" in refused([*words, visit], capsys)


@pytest.mark.parametrize("command", ["visits", "dead-letters", "bulk-retry", "audit"])
@pytest.mark.parametrize("limit", ["0", "-1", "100001", "99999999999999999999", "many"])
def test_a_limit_outside_1_to_100000_is_refused(
    command: str, limit: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "--limit" in refused([command, f"--limit={limit}"], capsys)


@pytest.mark.parametrize("price", ["nan", "inf", "-inf", "-0.01", "1e999", "much"])
def test_a_price_that_is_negative_infinite_or_not_a_number_is_refused(
    price: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for one, other in (("--audio-hour", "--summary"), ("--summary", "--audio-hour")):
        assert one in refused(["costs", f"{one}={price}", f"{other}=1"], capsys)
    free = parser().parse_args(["costs", "--audio-hour", "0", "--summary", "0.02"])
    assert (free.audio_hour, free.summary) == (0, 0.02)


def test_the_default_region_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOOGLE_CLOUD_REGION", raising=False)
    assert parser().parse_args(["doctor"]).region == "us-central1"
    monkeypatch.setenv("GOOGLE_CLOUD_REGION", "europe-west3")
    wanted = parser().parse_args(["doctor"])
    assert wanted.region == "europe-west3"
    assert Invocation.of(wanted).options == ()
    other = parser().parse_args(["doctor", "--region", "us-central1"])
    assert Invocation.of(other).options == ("--region", "us-central1"), "advised commands name it"
