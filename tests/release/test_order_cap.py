"""`scripts/release order-cap` limits new paid orders and writes a reason to the audit log."""

import pytest

from infra.release.cli import main
from infra.release.feature_flags import UNCAPPED, cap, set_cap, set_switch
from lumimd.operations.operator import Operator
from lumimd.policies.flags import KEY, Flags, OrderCap, Setting, Switch
from tests.release.test_feature_flags import Services, documents


@pytest.fixture
def operator() -> Operator:
    return Operator("ann@example.com", Services())  # type: ignore[arg-type]


async def test_setting_the_order_cap_keeps_the_switches_and_vice_versa(
    operator: Operator,
) -> None:
    await set_switch(operator, Switch.WEBHOOKS, Setting(on=False), reason="they come twice")
    await set_cap(operator, OrderCap(per_hour=200), reason="too many orders")
    await set_switch(operator, Switch.WEBHOOKS, Setting(on=True), reason="they come once")
    found = await documents(operator).get(KEY)
    assert found is not None
    assert found[0] == Flags(order_cap=OrderCap(per_hour=200))
    await set_cap(operator, UNCAPPED, reason="the release was rolled back")
    found = await documents(operator).get(KEY)
    assert found is not None
    assert found[0] == Flags()


async def test_the_audit_entry_of_an_order_cap_has_the_operator_reason_and_both_caps(
    operator: Operator,
) -> None:
    await set_cap(operator, OrderCap(per_hour=200), reason="too many orders")
    written = operator.services.store.documents()  # type: ignore[attr-defined]
    (entry,) = (each for path, each in written.items() if "audit" in path)
    assert (entry["actor"], entry["action"]) == ("ann@example.com", "set_order_cap")
    assert (entry["target"], entry["reason"]) == ("order_cap", "too many orders")
    assert (entry["before"], entry["after"]) == ({"perHour": None}, {"perHour": 200})


def test_an_order_cap_is_off_or_a_number() -> None:
    assert (cap("off"), cap("200")) == (OrderCap(), OrderCap(per_hour=200))


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", "\u0662", ""])
def test_an_order_cap_that_is_not_off_or_a_positive_number_is_refused(text: str) -> None:
    with pytest.raises(SystemExit):
        main(["order-cap", text, "--reason", "too many orders", "--local"])


@pytest.mark.parametrize("arguments", [["200"], ["200", "--reason", "no stack is named"], []])
def test_an_order_cap_command_without_reason_or_stack_is_refused(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    assert main(["order-cap", *arguments]) == 2


@pytest.mark.emulator
def test_the_order_cap_command_sets_the_cap_in_firestore(
    firestore_host: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_host)
    where = ["--project", "demo-order-cap"]
    assert main(["order-cap", "200", "--reason", "too many orders", *where]) == 0
    assert main(["order-cap", *where]) == 0
    line = "New orders: at most 200 in any hour, and 50 of one user."
    assert capsys.readouterr().out.splitlines() == [line, line]
