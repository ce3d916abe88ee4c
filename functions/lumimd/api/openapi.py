"""Build the OpenAPI document of the API from its routes and models."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic.alias_generators import to_camel

from lumimd.api.problems import ProblemDocument

API_VERSION: Final = "1.0.0"

_DESCRIPTION: Final = """\
Recorded visits, their transcripts and summaries, and the action items.

Sign in with Firebase and send the ID token. Documents of other users answer 404. Errors are
`application/problem+json` with a `code` from a closed list. A POST with an `Idempotency-Key` is
done once, even if it is sent several times.
"""


def operation_id(route: APIRoute) -> str:
    """Return the operation's name in generated clients: `retryVisit`, or `adminRetryOne`."""
    is_admin = "admin" in route.tags
    return to_camel(f"admin_{route.name}" if is_admin else route.name)


def openapi(app: FastAPI) -> dict[str, Any]:
    """Return the document (OpenAPI 3.1), made once per app."""
    if app.openapi_schema is None:
        app.openapi_schema = _made(app)
    return app.openapi_schema


def _made(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=_DESCRIPTION,
        routes=app.routes,
        separate_input_output_schemas=False,
    )
    schemas = document["components"]["schemas"]
    problem = ProblemDocument.model_json_schema(
        by_alias=True, mode="serialization", ref_template="#/components/schemas/{model}"
    )
    schemas |= problem.pop("$defs")
    schemas["ProblemDocument"] = problem
    # Remove FastAPI's own schemas of problems, which `problems.py` replaces.
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for path in document["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", ()):
                parameter["schema"] = _never_null(parameter["schema"])
    return document


def _never_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Remove null from the schema of an optional parameter, since no URL can give null."""
    *kept, last = schema.get("anyOf", [None])
    if last != {"type": "null"}:
        return schema
    (only,) = kept
    return {**only, **{key: value for key, value in schema.items() if key != "anyOf"}}
