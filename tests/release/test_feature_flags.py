"""`scripts/release flags` sets a switch for all instances, with an entry in the audit log."""

from pathlib import Path

import pytest

from infra.release import feature_flags
from infra.release.cli import main
from infra.release.feature_flags import set_switch, setting
from lumimd.coordination.flags import SharedFlags
from lumimd.operations.operator import Operator
from lumimd.policies.flags import KEY, Flags, Setting, Switch
from lumimd.stores.operator_store import OperatorStore
from lumimd.stores.shared_documents import SharedDocuments
from tests.support.services import MemoryServices
from tests.support.shared_documents import in_memory


class Services(MemoryServices):
    def __post_init__(self) -> None:
        super().__post_init__()
        self.flag_documents = in_memory(Flags)
        self.operators = OperatorStore(self.store.database)


@pytest.fixture
def operator() -> Operator:
    return Operator("ann@example.com", Services())  # type: ignore[arg-type]


def documents(operator: Operator) -> SharedDocuments[Flags]:
    return operator.services.flag_documents  # type: ignore[attr-defined, no-any-return]


async def test_setting_a_switch_leaves_the_other_switches_unchanged(operator: Operator) -> None:
    await set_switch(operator, Switch.WEBHOOKS, Setting(on=False), reason="they come twice")
    await set_switch(operator, Switch.PROCESSING, Setting(percent=10), reason="first users")
    found = await documents(operator).get(KEY)
    assert found is not None
    assert found[0] == Flags(webhooks=Setting(on=False), processing=Setting(percent=10))
    assert await SharedFlags(documents(operator), operator.services.clock).now() == found[0]


async def test_the_audit_entry_of_a_switch_has_the_operator_and_the_reason(
    operator: Operator,
) -> None:
    await set_switch(operator, Switch.PROCESSING, Setting(on=False), reason="they ask us to stop")
    written = operator.services.store.documents()  # type: ignore[attr-defined]
    (entry,) = (each for path, each in written.items() if "audit" in path)
    assert (entry["actor"], entry["action"]) == ("ann@example.com", "turn_switch")
    assert (entry["target"], entry["reason"]) == ("processing", "they ask us to stop")
    assert (entry["before"], entry["after"]) == (
        {"on": True, "percent": 100.0},
        {"on": False, "percent": 100.0},
    )


@pytest.mark.parametrize(
    ("text", "means"),
    [("on", Setting()), ("off", Setting(on=False)), ("12.5", Setting(percent=12.5))],
)
def test_a_setting_is_on_off_or_a_percentage(text: str, means: Setting) -> None:
    assert setting(text) == means


@pytest.mark.parametrize(
    "arguments",
    [
        ["webhooks", "off"],
        ["webhooks"],
        ["provider_copies_deleted", "10", "--reason", "some of them"],
        ["processing", "off", "--reason", "no stack is named"],
    ],
)
def test_a_change_without_setting_reason_or_stack_is_refused(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    assert main(["flags", *arguments]) == 2


@pytest.mark.parametrize("arguments", [["webhooks", "101"], ["webhooks", "no"], ["everything"]])
def test_an_unknown_switch_or_setting_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        main(["flags", *arguments])


@pytest.mark.parametrize("command", ["flags", "order-cap"])
def test_run_selects_a_local_stack_despite_a_project_in_the_environment(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "demo")
    monkeypatch.setattr(feature_flags, "ROOT", tmp_path)
    assert main([command, "--run", "run-a"]) == 2
    assert "No local stack is called run-a." in capsys.readouterr().err
    assert main([command, "--run", "run-a", "--project", "demo"]) == 2
    assert "give one of them" in capsys.readouterr().err


@pytest.mark.emulator
def test_the_flags_command_sets_a_switch_in_firestore(
    firestore_host: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_host)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "demo-switches")
    where = ["--project", "demo-switches"]
    assert main(["flags", "processing", "25", "--reason", "first users", *where]) == 0
    assert main(["flags", *where]) == 0
    assert "on for 25 % of the users" in capsys.readouterr().out.splitlines()[-4]
