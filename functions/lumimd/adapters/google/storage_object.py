"""Read a Cloud Storage object from an event or a list."""

import re
from typing import Annotated, Final

from pydantic import (
    AwareDatetime,
    BeforeValidator,
    Field,
    TypeAdapter,
    ValidationError,
)

from lumimd.adapters.inbound import _Inbound
from lumimd.domain.audio import Audio, Upload, says_consent
from lumimd.domain.audio import upload_of as audio_upload

_INSTANT: Final = TypeAdapter(AwareDatetime)


UNKNOWN_TYPE: Final = "application/octet-stream"


_PRINTABLE: Final = re.compile(r"[ -~]{1,255}")


def _size(value: object) -> int | None:
    """Return a number of bytes, a string in protobuf's JSON; None for any other value."""
    try:
        size = int(value)  # type: ignore[call-overload]  # the TypeError below covers other types
    except (TypeError, ValueError, OverflowError):
        return None
    return size if 0 <= size < 2**63 else None


def _content_type(value: object) -> str:
    """Return the client's content type, without characters that a store or a log cannot hold."""
    known = isinstance(value, str) and _PRINTABLE.fullmatch(value)
    return str(value) if known else UNKNOWN_TYPE


def _texts(value: object) -> dict[str, str]:
    """Return custom metadata as texts. A client library may send numbers, or null for none."""
    if not isinstance(value, dict):
        return {}
    texts = {name: each for name, each in value.items() if isinstance(name, str)}
    return {name: str(each) for name, each in texts.items() if isinstance(each, str | int | float)}


class StorageObject(_Inbound):
    """The part of google.events.cloud.storage.v1.StorageObjectData that we need.

    `bucket`, `name` and `generation` identify a recording. Any other field that is null, missing or
    wrongly typed counts as unknown, so that no recording is lost.
    """

    bucket: str = Field(min_length=1)
    name: str
    generation: int = Field(ge=0, lt=2**63)
    size: Annotated[int | None, BeforeValidator(_size)] = None
    content_type: Annotated[str, BeforeValidator(_content_type)] = UNKNOWN_TYPE
    metadata: Annotated[dict[str, str], BeforeValidator(_texts)] = Field(default_factory=dict)


def upload_of(data: object, time: object) -> Upload | None:
    """Return the recording that a finalize event announces; None for any other object.

    Args:
        data: google.events.cloud.storage.v1.StorageObjectData.
        time: the event's time (RFC 3339), or an instant.
    """
    try:
        stored = StorageObject.model_validate(data)
    except ValidationError:
        return None
    try:
        announced_at = _INSTANT.validate_python(time)
    except ValidationError:
        announced_at = None  # a recording with a wrong time is accepted as well
    audio = Audio(
        bucket=stored.bucket,
        storage_path=stored.name,
        generation=stored.generation,
        content_type=stored.content_type,
        size_bytes=stored.size,
    )
    return audio_upload(audio, announced_at, consented=says_consent(stored.metadata))
