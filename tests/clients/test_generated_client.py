"""A client that a public tool generates from the OpenAPI document makes exactly given changes."""

import importlib
import pkgutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import attrs
import pytest

from infra.local.stack import ROOT
from infra.local.supervision.ports import LOOPBACK, free_ports
from infra.local.supervision.processes import Process
from infra.local.supervision.ready import http_ok
from infra.openapi import document
from tests.support.generated_client import GeneratedClient, generated, signed_in
from tests.support.servers import running, skipped_without_emulators

DAY = datetime(2027, 1, 31, 10, tzinfo=UTC)

CHANGES: dict[str, dict[str, Any]] = {
    "VisitChange": {"title": "Knee, again", "archived": True, "tags": ["knee"]},
    "ActionChange": {"text": "Call the clinic", "due_date": DAY, "completed": True},
}
"""A new value for each field that a change may contain."""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    with skipped_without_emulators():
        return generated(tmp_path_factory.mktemp("generated"))


@pytest.fixture(scope="module")
def client(
    package: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GeneratedClient]:
    """A generated client of an API on a real port, with visits of every status in memory."""
    folder = tmp_path_factory.mktemp("api")
    (port,) = free_ports({"api": 0}).values()
    url, token = f"http://{LOOPBACK}:{port}", folder / "token"
    api = Process(
        name="api",
        argv=(
            *(sys.executable, "-m", "tests.api.fuzzed"),
            *("--port", str(port), "--token-file", str(token)),
        ),
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'functions'}"},
        cwd=ROOT,
        ready=http_ok(f"{url}/health"),
    )
    with running([api], folder), signed_in(package, url, token.read_text()) as client:
        yield client


def test_the_generated_client_has_every_operation_of_the_api(package: ModuleType) -> None:
    api = importlib.import_module(f"{package.__name__}.api")
    found = {
        name.rpartition(".")[2].replace("_", "")
        for _, name, is_package in pkgutil.walk_packages(api.__path__, f"{api.__name__}.")
        if not is_package
    }
    operations = [each for path in document()["paths"].values() for each in path.values()]
    assert found == {each["operationId"].lower() for each in operations}


def created(client: GeneratedClient) -> Any:
    """Create a visit with all fields that its owner may set, and return it."""
    new = client.model("NewVisit")(consent=True, title="Knee", tags=["heart", "left"])
    return client.call("visits.create_visit", body=new).visit


def added(client: GeneratedClient, visit_id: str) -> Any:
    """Create an action item with all fields that its owner may set, and return it."""
    new = client.model("NewAction")(visit_id=visit_id, text="See the specialist", due_date=DAY)
    return client.call("actions.create_action", body=new)


@pytest.mark.parametrize("field", CHANGES["ActionChange"])
def test_changing_one_field_of_an_action_item_leaves_its_other_fields_unchanged(
    client: GeneratedClient, field: str
) -> None:
    change, values = client.model("ActionChange"), CHANGES["ActionChange"]
    assert {each.name for each in attrs.fields(change)} == set(values)
    before = added(client, created(client).visit_id)
    client.call(
        "actions.change_action", action_id=before.action_id, body=change(**{field: values[field]})
    )
    after = client.call("actions.read_action", action_id=before.action_id)
    assert after == attrs.evolve(before, **{field: values[field]})


@pytest.mark.parametrize("field", CHANGES["VisitChange"])
def test_changing_one_field_of_a_visit_leaves_its_other_fields_unchanged(
    client: GeneratedClient, field: str
) -> None:
    change, values = client.model("VisitChange"), CHANGES["VisitChange"]
    assert {each.name for each in attrs.fields(change)} == set(values)
    visit_id = created(client).visit_id
    before = client.call("visits.read_visit", visit_id=visit_id)
    client.call("visits.change_visit", visit_id=visit_id, body=change(**{field: values[field]}))
    after = client.call("visits.read_visit", visit_id=visit_id)
    for name in values:
        expected = values[name] if name == field else getattr(before, name)
        assert getattr(after, name) == expected, name


def test_null_clears_a_field_and_an_empty_change_changes_nothing(client: GeneratedClient) -> None:
    change = client.model("ActionChange")
    action = added(client, created(client).visit_id)
    named = {"action_id": action.action_id}
    assert client.call("actions.change_action", body=change(), **named) == action
    cleared = client.call("actions.change_action", body=change(due_date=None), **named)
    assert cleared == attrs.evolve(action, due_date=None)


def test_a_repeated_creation_with_the_same_key_returns_the_same_visit(
    client: GeneratedClient,
) -> None:
    new = client.model("NewVisit")(consent=True, title="Knee")
    once, twice = (
        client.call("visits.create_visit", body=new, idempotency_key="the-same") for _ in range(2)
    )
    assert once == twice


def test_a_failed_visit_can_be_retried_and_a_visit_can_be_deleted(client: GeneratedClient) -> None:
    retried = client.call("visits.retry_visit", visit_id="broken-0")
    assert (retried.status, retried.attempt) == ("processing", 2)
    refused = client.call("visits.retry_visit", visit_id="done-0")
    assert (refused.status, refused.code) == (409, "nothing_to_retry")

    visit_id = created(client).visit_id
    action = added(client, visit_id)
    assert client.answer("actions.delete_action", action_id=action.action_id).status_code == 204
    assert client.call("visits.delete_visit", visit_id=visit_id).visit_id == visit_id
    assert client.call("visits.read_visit", visit_id=visit_id).code == "not_found"
    assert client.call("me.read_deletion", visit_id=visit_id).requested_at


def test_the_error_response_to_an_invalid_visit_names_the_field(client: GeneratedClient) -> None:
    new = client.model("NewVisit")(consent=True, title="x" * 201)
    refused = client.call("visits.create_visit", body=new)
    assert refused.code == "invalid_request"
    assert [fault.where for fault in refused.faults] == ["body.title"]
