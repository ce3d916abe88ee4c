"""A refused request lists its invalid fields, and names an unknown field only if it is safe."""

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.openapi import document
from lumimd.api.faults import FIELD_NAME, MOST_FAULTS, faults_of
from tests.support.api import Api, action_of, stored, visit_of

CANARY = "quokka-canary"


def extra(*path: str | int) -> dict[str, Any]:
    return {"loc": path, "type": "extra_forbidden", "input": CANARY}


@pytest.mark.parametrize(
    ("method", "path", "body", "where"),
    [
        ("POST", "/v1/visits", {"consent": True, "consnet": False}, "body.consnet"),
        ("POST", "/v1/visits", {"consent": True, "content_type": "audio/mp4"}, "body.content_type"),
        ("PATCH", "/v1/actions/a", {"due_date": None}, "body.due_date"),
        ("PATCH", "/v1/visits/v", {"archive": True}, "body.archive"),
        (
            "POST",
            "/v1/batches",
            {"consent": True, "visits": [{}, {"titel": "Knee"}]},
            "body.visits.1.titel",
        ),
    ],
)
async def test_a_refusal_names_an_unknown_field_of_the_request(
    api: Api, method: str, path: str, body: object, where: str
) -> None:
    visit = visit_of("user-1", "v")
    await stored(api.services, visit)
    await api.services.owner_queries.add_action(
        action_of(visit).model_copy(update={"action_id": "a"})
    )
    answer = await api.call(method, path, json=body)
    assert answer.status_code == 422
    assert answer.json()["faults"] == [{"where": where, "rule": "extra_forbidden"}]


async def test_a_refusal_never_repeats_values_or_field_names_that_are_free_text(
    api: Api, log: io.StringIO
) -> None:
    text = f"The patient says {CANARY}"
    body = {"consent": True, "unknown": text, text: "x", "visits": [{text: text}]}
    answer = await api.post("/v1/visits", json=body)
    assert answer.status_code == 422
    assert [fault["where"] for fault in answer.json()["faults"]] == [
        "body.unknown",
        "body",
        "body.visits",
    ]
    assert CANARY not in answer.text + log.getvalue()


@given(name=st.text() | st.from_regex(FIELD_NAME) | st.from_regex(FIELD_NAME, fullmatch=True))
def test_a_refusal_lists_only_unknown_names_in_the_form_of_a_field_name(name: str) -> None:
    (fault,) = faults_of([extra("body", name)])
    assert fault.where in ("body", f"body.{name}")
    listed = fault.where != "body"
    assert listed == bool(FIELD_NAME.fullmatch(name))
    assert not listed or (len(name) <= 40 and name.isascii() and not set(name) & set(" .,:;@/-\n"))


def test_a_refusal_lists_a_limited_number_of_distinct_invalid_fields() -> None:
    errors = [extra("body", f"field{n}") for n in range(1000)]
    assert len(faults_of(errors)) == MOST_FAULTS
    assert len(faults_of([extra("body", "not a name"), extra("body", "nor this")])) == 1


def test_every_field_name_of_the_api_matches_the_field_name_pattern() -> None:
    names = set()

    def collect(schema: Any) -> None:
        if isinstance(schema, dict):
            names.update(schema.get("properties", ()))
            for value in schema.values():
                collect(value)

    collect(json.loads(json.dumps(document()["components"]["schemas"])))
    assert names
    assert all(FIELD_NAME.fullmatch(name) for name in names)
