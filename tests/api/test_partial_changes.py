"""A PATCH body changes only the fields that it names."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.openapi import document
from tests.support.api import Api, ApiMemoryServices, action_of, api_over, stored, visit_of
from tests.support.examples import examples

DOCUMENT = document()
PATCHED = sorted(path for path, operations in DOCUMENT["paths"].items() if "patch" in operations)

VALUES: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "/v1/visits/{visitId}": {
        "title": st.none() | st.text(max_size=200),
        "archived": st.booleans(),
        "tags": st.lists(st.text("abc", min_size=1, max_size=50), max_size=10),
    },
    "/v1/actions/{actionId}": {
        "text": st.text("abc -", min_size=1, max_size=50),
        "dueDate": st.none() | st.just("2027-01-31T10:00:00Z"),
        "completed": st.booleans(),
    },
}
"""The values that a client may send for each field of each PATCH route."""


DERIVED = {"updatedAt", "group"}
"""Fields of a response that the API derives from other fields."""


def own(view: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in view.items() if name not in DERIVED}


def schema_of(path: str) -> dict[str, Any]:
    body = DOCUMENT["paths"][path]["patch"]["requestBody"]["content"]["application/json"]["schema"]
    return dict(resolved(body))


def resolved(schema: Any) -> Any:
    """Return the schema with every reference replaced by its target."""
    if isinstance(schema, list):
        return [resolved(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return resolved(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    return {key: resolved(value) for key, value in schema.items()}


def keys_of(schema: Any) -> Iterator[str]:
    """Yield every key of a schema at any depth, including the names of fields."""
    if isinstance(schema, dict):
        yield from schema
        for value in schema.values():
            yield from keys_of(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from keys_of(value)


def accepts_null(schema: dict[str, Any]) -> bool:
    return {"type": "null"} in schema.get("anyOf", ())


@pytest.mark.parametrize("path", PATCHED)
def test_no_field_of_a_patch_body_is_required_or_has_a_default(path: str) -> None:
    schema = schema_of(path)
    assert schema["properties"]
    assert "default" not in keys_of(schema)
    assert "required" not in schema


def test_the_table_of_values_has_every_field_of_every_patch_route() -> None:
    assert {path: set(schema_of(path)["properties"]) for path in PATCHED} == {
        path: set(values) for path, values in VALUES.items()
    }


async def patched_api() -> Api:
    """Return the API with a visit and an action item in which every changeable field is set."""
    services = ApiMemoryServices()
    visit = visit_of("user-1", "seen", title="Knee", archived=True, tags=("heart", "knee"))
    await stored(services, visit)
    action = action_of(visit, text="Call the clinic")
    owners = {"action_id": "a", "completed": True, "due_date": visit.created_at}
    await services.owner_queries.add_action(action.model_copy(update=owners))
    return api_over(services)


def url_of(path: str) -> str:
    return path.format(visitId="seen", actionId="a")


@pytest.mark.parametrize("path", PATCHED)
@given(data=st.data())
@settings(max_examples=examples(40), deadline=None)
def test_a_patch_with_any_subset_of_fields_changes_only_those_fields(
    path: str, data: st.DataObject
) -> None:
    body = data.draw(st.fixed_dictionaries({}, optional=VALUES[path]))

    async def change() -> None:
        api = await patched_api()
        async with api.http:
            before = (await api.get(url_of(path))).json()
            answer = await api.call("PATCH", url_of(path), json=body)
            assert answer.status_code == 200, answer.text
            after = (await api.get(url_of(path))).json()
        for each in (answer.json(), after):
            assert own(each) == own(before) | body

    asyncio.run(change())


@pytest.mark.parametrize(
    ("path", "field"), [(path, field) for path in PATCHED for field in VALUES.get(path, ())]
)
async def test_null_clears_optional_fields_and_is_refused_for_others(path: str, field: str) -> None:
    api = await patched_api()
    async with api.http:
        before = (await api.get(url_of(path))).json()
        answer = await api.call("PATCH", url_of(path), json={field: None})
        after = (await api.get(url_of(path))).json()
    if accepts_null(schema_of(path)["properties"][field]):
        assert (answer.status_code, after[field]) == (200, None)
    else:
        assert answer.status_code == 422
        assert answer.json()["faults"][0]["where"] == f"body.{field}"
        assert after == before
