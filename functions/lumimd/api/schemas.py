"""Request bodies. Values are not coerced, and an unknown field is refused."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import Path
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from lumimd.domain.client_access import ActionText, Tag, Title
from lumimd.domain.ids import ID, USER_ID
from lumimd.domain.media_types import TYPES

MAX_BATCH: Final = 100
"""The most visits in one request; their creation takes less than a client's timeout."""

_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")

_ANNOUNCED: Final = "|".join(TYPES).replace(".", "[.]")


def _lower_case(value: object) -> object:
    """Return the media type in lower case; its parameters keep their case."""
    if not isinstance(value, str):
        return value
    kind, semicolon, parameters = value.partition(";")
    return f"{kind.lower()}{semicolon}{parameters}"


ContentType = Annotated[
    str,
    Field(
        pattern=f"^({_ANNOUNCED})(;[ -~]*)?$",
        description="The media type from the recorder, with parameters such as the codec.",
        examples=["audio/mp4", "audio/webm;codecs=opus"],
    ),
    BeforeValidator(_lower_case),
]


def _instant(value: object) -> object:
    """Accept an RFC 3339 time in UTC; pydantic alone would also accept a number."""
    if value is None:
        return None
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        raise ValueError("an instant of RFC 3339 with its offset")
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except OverflowError as error:  # the calendar's first or last day, converted from another zone
        raise ValueError("an instant between the years 1 and 9999") from error


Instant = Annotated[AwareDatetime, BeforeValidator(_instant), Field(strict=False)]
Tags = Annotated[list[Tag], Field(max_length=10)]
Id = Annotated[str, Field(pattern=ID)]
UserId = Annotated[str, Field(pattern=USER_ID)]

VisitId = Annotated[str, Path(pattern=ID, alias="visitId")]
BatchId = Annotated[str, Path(pattern=ID, alias="batchId")]
ActionId = Annotated[str, Path(pattern=ID, alias="actionId")]


class Sent(BaseModel):
    """The base of all request bodies."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        strict=True,
        hide_input_in_errors=True,
    )


def _absent() -> Any:
    """Declare an optional field of a `Change`, without a default in the OpenAPI document."""
    return Field(default_factory=lambda: None)


class Change(Sent):
    """The base of all PATCH bodies: a field that is absent leaves the stored one unchanged.

    No field has a default, because a generated client would send the defaults and overwrite the
    stored values. Null is a value like any other, and clears the few fields that may be empty.
    """

    def changes(self) -> dict[str, Any]:
        """Return the fields that were sent, by name."""
        return self.model_dump(exclude_unset=True)


class Announced(Sent):
    """A recording that a client will upload."""

    title: Title | None = None
    tags: Tags = []
    content_type: ContentType = "audio/mp4"


class NewVisit(Announced):
    """A visit to create. Without `consent` it is kept, but not processed until consent is given."""

    consent: bool = Field(description="Whether the patient agreed to the processing.")
    batch_id: Id | None = None
    urgent: bool = Field(
        False,
        description="Overtakes others in the queue for transcription; only for paying users.",
    )


class NewBatch(Sent):
    """Visits to create together. Live recordings have priority over a batch."""

    consent: bool = Field(description="Whether the patients agreed to the processing.")
    visits: list[Announced] = Field(min_length=1, max_length=MAX_BATCH)


class VisitChange(Change):
    """A change of a visit; fields that are left out stay."""

    title: Title | None = _absent()
    archived: bool = _absent()
    tags: Tags = _absent()


class NewAction(Sent):
    """An action item that the owner adds to a visit."""

    visit_id: Id
    text: ActionText
    due_date: Instant | None = None


class ActionChange(Change):
    """A change of an action item; fields that are left out stay."""

    text: ActionText = _absent()
    due_date: Instant | None = _absent()
    completed: bool = _absent()
