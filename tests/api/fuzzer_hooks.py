"""Give the fuzzer values that an OpenAPI document cannot state."""

import random
import re
import uuid
from typing import Any

import schemathesis

from lumimd.domain.ids import ID

STATES = ("done", "running", "broken", "waiting", "theirs")
EACH = 50
KEY = re.compile(r"[\x21-\x7e]{8,128}")

_chance = random.Random(1)


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Replace half of the well-formed ids by ids of visits, and each Idempotency-Key by a new key.

    The API refuses an Idempotency-Key that came earlier with another body.
    """
    headers = case.headers or {}
    if KEY.fullmatch(headers.get("Idempotency-Key") or ""):
        case.headers["Idempotency-Key"] = uuid.uuid4().hex
    for named in (case.path_parameters, case.body):
        if isinstance(named, dict):
            for name, known in (("visitId", _visit()), ("actionId", f"{_visit()}-000")):
                given = named.get(name)
                if isinstance(given, str) and re.fullmatch(ID, given) and _chance.random() < 0.5:
                    named[name] = known
            if named.get("batchId") and _chance.random() < 0.5 and named is not case.body:
                named["batchId"] = "batch"


def _visit() -> str:
    return f"{_chance.choice(STATES)}-{_chance.randrange(EACH)}"
