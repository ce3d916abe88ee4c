"""The fields that clients may write directly to Firestore, and the limits of these fields.

`firestore.rules` and `storage.rules` repeat these fields and limits; a test compares each of them
with these models. All other fields are written only by functions.
"""

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field, with_config
from pydantic.alias_generators import to_camel
from typing_extensions import TypedDict  # pydantic requires it before Python 3.12

from lumimd.domain import media_types
from lumimd.domain.document import Document
from lumimd.domain.ids import ID, USER_ID
from lumimd.domain.visit import ProcessingStatus, Status, VisitKind

ADMIN_CLAIM: Final = "admin"
"""The custom claim of an ID token that lets an operator read documents outside of visits."""

Title = Annotated[str, Field(max_length=200)]
Tag = Annotated[str, Field(min_length=1, max_length=50)]
# At most ten tags, because security rules cannot loop: they name each index.
Tags = Annotated[tuple[Tag, ...], Field(max_length=10)]
ActionText = Annotated[str, Field(min_length=1, max_length=2000)]

ServerTime = Annotated[datetime, Field(json_schema_extra={"x-server-time": True})]
"""The time of the write: security rules accept only `serverTimestamp()` from a client."""

RECORDING_TYPES: Final = media_types.RECORDING_TYPES
"""The content types of recordings, with any parameters."""

RECORDING_EXTENSIONS: Final = media_types.EXTENSIONS
"""A client uploads a recording once, as `visits/{uid}/{visitId}/audio.{extension}`."""

TAKES_OF_A_CLIENT: Final = 20
"""The most files that a client may upload for one visit. A recording that is resumed after an
interruption is `audio.2.{extension}`."""


_CHANGE: Final = ConfigDict(alias_generator=to_camel, extra="forbid", hide_input_in_errors=True)


class ConsentGiven(Document):
    """The patient agrees to the processing of the recording at the time of this write."""

    given_at: ServerTime


class NewVisit(Document):
    """A new visit as its owner writes it, before the recording is uploaded.

    All other fields have their defaults until the recording arrives.
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
    """The fields of a visit that its owner may change, in any combination."""

    title: Title | None
    archived: bool
    tags: Tags
    updated_at: ServerTime


@with_config(_CHANGE)
class ActionChange(TypedDict, total=False):
    """The fields of an action item that its owner may change, in any combination."""

    text: ActionText
    due_date: datetime | None
    completed: bool
