"""Tolerant reader of a model's answer: text with exactly one reading becomes a summary.

| in the answer                                   | is read as                                     |
|-------------------------------------------------|------------------------------------------------|
| a fence, a BOM, thoughts, text around the JSON  | ignored                                        |
| the same object several times                   | that object; different ones are a bad answer   |
| a missing or null list                          | an empty list                                  |
| one item instead of a list                      | a list of that item                            |
| a field that the schema does not have           | ignored                                        |
| an unreadable item                              | a statement that cites nothing                 |

The reader does not judge whether a statement is supported: `analysis/evidence.py` rejects a
statement that cites nothing.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeVar

from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from lumimd.domain.clinical import (
    ActionItem,
    Diagnosis,
    Evidenced,
    Medication,
    Medications,
    Statement,
    VisitSummary,
)
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import BadAnswer

MAX_CHARACTERS: Final = 1_000_000
"""The longest answer that is read; a longer one fits into no document."""

MAX_OBJECTS: Final = 50
"""The most braces that the reader tries as the beginning of the answer."""

_THOUGHTS: Final = re.compile(r"<think>.*?</think>", re.DOTALL)
_FIELDS: Final = frozenset(VisitSummary.model_fields) | frozenset(
    map(to_camel, VisitSummary.model_fields)
)

_Item = TypeVar("_Item", bound=Evidenced)


def read_summary(answer: str) -> VisitSummary:
    """Return the summary in the answer.

    Raises:
        BadAnswer: `summary_invalid`: the answer has no summary, or more than one.
    """
    if len(answer) > MAX_CHARACTERS:
        raise BadAnswer(ErrorCode.SUMMARY_INVALID)
    found = list(_summaries(_THOUGHTS.sub("", answer)))
    if not found or any(each != found[0] for each in found):
        raise BadAnswer(ErrorCode.SUMMARY_INVALID)
    return _summary(found[0])


def _summaries(text: str) -> Iterator[Mapping[str, Any]]:
    """Yield every JSON object of the text with a field of a summary."""
    decoder = json.JSONDecoder()
    start = text.find("{")
    for _ in range(MAX_OBJECTS):
        if start < 0:
            return
        end = start + 1
        try:
            decoded, after = decoder.raw_decode(text, start)
            value = _encodable(decoded)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict) and _FIELDS & value.keys():
            yield value
            end = after
        start = text.find("{", end)


def _encodable(value: object) -> object:
    """Return the value without lone surrogates, which JSON allows and no store accepts."""
    return json.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace"))


def _summary(fields: Mapping[str, Any]) -> VisitSummary:
    medications = _field(fields, "medications")
    if medications is None:
        medications = {}
    elif not isinstance(medications, dict):
        medications = {"started": [None]}
    return VisitSummary(
        summary=_items(fields, "summary", _STATEMENT),
        diagnoses=_items(fields, "diagnoses", _DIAGNOSIS),
        medications=Medications(
            started=_items(medications, "started", _MEDICATION),
            stopped=_items(medications, "stopped", _MEDICATION),
            changed=_items(medications, "changed", _MEDICATION),
        ),
        imaging=_items(fields, "imaging", _STATEMENT),
        next_steps=_items(fields, "next_steps", _STATEMENT),
        education=_items(fields, "education", _STATEMENT),
        action_items=_items(fields, "action_items", _ACTION_ITEM),
    )


_STATEMENT: Final = Statement(text="", evidence=[])
_DIAGNOSIS: Final = Diagnosis(name="", evidence=[])
_MEDICATION: Final = Medication(name="", dose=None, frequency=None, evidence=[])
_ACTION_ITEM: Final = ActionItem(text="", due=None, evidence=[])


def _items(fields: Mapping[str, Any], name: str, empty: _Item) -> list[_Item]:
    """Return the items of a list; `empty` replaces an unreadable item."""
    value = _field(fields, name)
    if value is None:
        return []
    items = value if isinstance(value, list) else [value]
    return [_item(each, empty) for each in items]


def _item(value: object, empty: _Item) -> _Item:
    if not isinstance(value, dict):
        return empty
    evidence = _field(value, "evidence")
    cited = evidence if isinstance(evidence, list) else [evidence]
    unsaid = {name: None for name, said in empty.model_dump().items() if said is None}
    ids = [each for each in cited if isinstance(each, str)]
    try:
        return type(empty).model_validate(unsaid | value | {"evidence": ids})
    except ValidationError:
        return empty


def _field(fields: Mapping[str, Any], name: str) -> object:
    """Return the field by its name in the schema, or by its Python name."""
    return fields.get(to_camel(name), fields.get(name))
