"""What callers send, read into our terms. Whatever makes no sense is None: it is not for us."""

import hmac
import re
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated, Any, Final

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
)
from pydantic.alias_generators import to_camel

from lumimd.audio import Audio, Upload, says_consent
from lumimd.audio import upload_of as audio_upload
from lumimd.errors import Rejected
from lumimd.ids import ID

WEBHOOK_HEADER: Final = "X-LumiMD-Webhook-Secret"
"""The provider signs nothing; it sends one header that we choose (AssemblyAI, webhooks)."""

_INSTANT: Final = TypeAdapter(AwareDatetime)


class _Inbound(BaseModel):
    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, extra="ignore", hide_input_in_errors=True
    )


UNKNOWN_TYPE: Final = "application/octet-stream"

_PRINTABLE: Final = re.compile(r"[ -~]{1,255}")


def _size(value: object) -> int | None:
    """A number of bytes, which is a string in protobuf's JSON; None for whatever is none."""
    try:
        size = int(value)  # type: ignore[call-overload]  # the TypeError below says what it is not
    except (TypeError, ValueError, OverflowError):
        return None
    return size if 0 <= size < 2**63 else None


def _content_type(value: object) -> str:
    """The type that a client gave; a store must be able to hold it, and a log to print it."""
    known = isinstance(value, str) and _PRINTABLE.fullmatch(value)
    return str(value) if known else UNKNOWN_TYPE


def _texts(value: object) -> dict[str, str]:
    """Custom metadata: texts. A client library may send numbers, or null for what is not there."""
    if not isinstance(value, dict):
        return {}
    told = {name: each for name, each in value.items() if isinstance(name, str)}
    return {name: str(each) for name, each in told.items() if isinstance(each, str | int | float)}


class StorageObject(_Inbound):
    """The part of google.events.cloud.storage.v1.StorageObjectData that we need.

    `bucket`, `name` and `generation` identify a recording. No other field is worth losing one: what
    is null, missing or of another type counts as not known.
    """

    bucket: str = Field(min_length=1)
    name: str
    generation: int = Field(ge=0, lt=2**63)
    size: Annotated[int | None, BeforeValidator(_size)] = None
    content_type: Annotated[str, BeforeValidator(_content_type)] = UNKNOWN_TYPE
    metadata: Annotated[dict[str, str], BeforeValidator(_texts)] = Field(default_factory=dict)


class Hint(_Inbound):
    """Somebody who knows our secret says that a job has ended."""

    visit: str = Field(pattern=ID)
    attempt: int = Field(ge=1)
    transcript_id: str = Field(pattern=ID, alias="transcript_id")


class SummaryTask(_Inbound):
    """The body of a task: ids only."""

    visit_id: str = Field(pattern=ID)
    attempt: int = Field(ge=1)


def upload_of(data: object, time: object) -> Upload | None:
    """The recording that a finalize event announces; None for any other object.

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
        announced_at = None  # a recording is not ignored for the sake of a clock
    audio = Audio(
        bucket=stored.bucket,
        storage_path=stored.name,
        generation=stored.generation,
        content_type=stored.content_type,
        size_bytes=stored.size,
    )
    return audio_upload(audio, announced_at, consented=says_consent(stored.metadata))


def hint_of(query: Mapping[str, str], body: object) -> Hint | None:
    """What a webhook call is about; None when it names no visit or job."""
    told = body if isinstance(body, dict) else {}
    try:
        return Hint.model_validate({**query, "transcript_id": told.get("transcript_id")})
    except ValidationError:
        return None


def summary_task_of(body: object) -> SummaryTask | None:
    """The ids in a task's body; None when there are none."""
    try:
        return SummaryTask.model_validate(body)
    except ValidationError:
        return None


def check_webhook_caller(
    secret: str | None,
    forwarded_for: str | None,
    *,
    accepted_secrets: Iterable[str],
    allowed_ips: frozenset[IPv4Address | IPv6Address],
) -> None:
    """Let nobody in who does not know a secret, or comes from elsewhere than the provider.

    The platform appends the caller's address to X-Forwarded-For, so only the last one counts, and
    `forwarded_for` holds every line of that header (`whole_header`). Every comparison takes the
    same time however much of the secret is right.

    Raises:
        Rejected: the caller is not the provider.
    """
    told = (secret or "").encode()
    matches = [hmac.compare_digest(told, accepted.encode()) for accepted in accepted_secrets]
    if not any(matches):
        raise Rejected
    if allowed_ips and _last_address(forwarded_for) not in allowed_ips:
        raise Rejected


def whole_header(lines: Iterable[str]) -> str | None:
    """One value of all lines of a header, in their order; None where there is no line.

    A header may come in several lines, which mean the same as one with commas (RFC 9110, 5.3).
    """
    return ", ".join(lines) or None


def _last_address(forwarded_for: str | None) -> Any:
    try:
        return ip_address((forwarded_for or "").rpartition(",")[2].strip())
    except ValueError:
        return None
