"""What a client may write by itself, named once.

`firestore.rules` and `storage.rules` say the same in their own language; a test compares them with
these models field by field, and limit by limit. Everything else is written by functions alone.
"""

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field, with_config
from pydantic.alias_generators import to_camel
from typing_extensions import TypedDict  # pydantic asks for this one before Python 3.12

from lumimd.domain import media_types
from lumimd.domain.document import Document
from lumimd.domain.ids import ID, USER_ID
from lumimd.domain.visit import ProcessingStatus, Status, VisitKind

ADMIN_CLAIM: Final = "admin"
"""The custom claim of an ID token that lets an operator read what is not a visit's."""

Title = Annotated[str, Field(max_length=200)]
Tag = Annotated[str, Field(min_length=1, max_length=50)]
# Ten, because the rules cannot loop: they name each place.
Tags = Annotated[tuple[Tag, ...], Field(max_length=10)]
ActionText = Annotated[str, Field(min_length=1, max_length=2000)]

ServerTime = Annotated[datetime, Field(json_schema_extra={"x-server-time": True})]
"""The instant of the write itself: a client sends `serverTimestamp()`, and no other is accepted."""

RECORDING_TYPES: Final = media_types.RECORDING_TYPES
"""The content types of recordings, with any parameters."""

RECORDING_EXTENSIONS: Final = media_types.EXTENSIONS
"""A client's recording is `visits/{uid}/{visitId}/audio.{extension}`, written once."""

TAKES_OF_A_CLIENT: Final = 20
"""A recording that goes on after an interruption is `audio.2.{extension}`, and so on to this."""


_CHANGE: Final = ConfigDict(alias_generator=to_camel, extra="forbid", hide_input_in_errors=True)


class ConsentGiven(Document):
    """The patient agreed to the processing of the recording, at the instant of this write."""

    given_at: ServerTime


class NewVisit(Document):
    """A visit as its owner creates it, before there is a recording.

    What is not here has its default until the recording arrives.
    """

    visit_id: str = Field(pattern=ID)
    user_id: str = Field(pattern=USER_ID)
    status: Literal[Status.PROCESSING]
    processing_status: Literal[ProcessingStatus.PENDING]
    kind: VisitKind = VisitKind.VISIT
    title: Title | None = None
    tags: Tags = ()
    consent: ConsentGiven | None = None
    created_at: ServerTime
    updated_at: ServerTime


@with_config(_CHANGE)
class VisitChange(TypedDict, total=False):
    """What an owner may change of a visit, each field alone or together."""

    title: Title | None
    archived: bool
    tags: Tags
    updated_at: ServerTime


@with_config(_CHANGE)
class ActionChange(TypedDict, total=False):
    """What an owner may change of an action item, each field alone or together."""

    text: ActionText
    due_date: datetime | None
    completed: bool
