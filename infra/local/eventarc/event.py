"""Converts a notification of fake-gcs-server into an event as Eventarc delivers it: pure.

A notification of Cloud Storage is a Pub/Sub message: its attributes name the event, and its data
is the object as in the JSON API. Eventarc turns it into a CloudEvent in binary mode: the attributes
as `ce-*` headers, the object (StorageObjectData) as the body.
"""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

FINALIZED = "google.cloud.storage.object.v1.finalized"

# CloudEvents HTTP binding 1.0.2, 3.1.3.2: in a header, only space, double quote, percent and
# characters outside printable ASCII are percent-encoded.
_UNENCODED = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')


class MalformedPush(ValueError):
    """The request is not a Pub/Sub push of a storage notification."""


@dataclass(frozen=True)
class CloudEvent:
    """A binary-mode CloudEvent: header values are encoded for HTTP, the body is JSON in UTF-8."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["ce-id"]


def finalized_event(push: bytes) -> CloudEvent | None:
    """The event for the body of a push request; None for any other event than a finalize.

    Raises MalformedPush for a body that is not a push, or a finalize without a readable object.
    """
    try:
        message = json.loads(push)["message"]
        attributes: dict[str, str] = message.get("attributes") or {}
        if attributes.get("eventType") != "OBJECT_FINALIZE":
            return None
        stored = json.loads(base64.b64decode(message["data"], validate=True))
        time = attributes.get("eventTime") or message["publishTime"]
        # Each delivery of the message has the same id.
        return finalized(stored, event_id=message["messageId"], time=time)
    except (KeyError, TypeError, AttributeError, ValueError, binascii.Error) as error:
        raise MalformedPush(f"{type(error).__name__} in a push request") from error


def finalized(stored: dict[str, Any], *, event_id: str, time: str) -> CloudEvent:
    """The finalize event of `stored`, an object as in the JSON API.

    Raises KeyError when the bucket, the name or the generation is missing.
    """
    data = storage_object_data(stored)
    headers = {
        "ce-specversion": "1.0",
        "ce-id": event_id,
        "ce-type": FINALIZED,
        "ce-source": f"//storage.googleapis.com/projects/_/buckets/{data['bucket']}",
        "ce-subject": f"objects/{data['name']}",
        "ce-time": time,
        "ce-bucket": data["bucket"],
    }
    encoded = {name: quote(value, safe=_UNENCODED) for name, value in headers.items()}
    # Not a ce- attribute: a space in it is not encoded.
    encoded["content-type"] = "application/json"
    return CloudEvent(encoded, json.dumps(data).encode())


def storage_object_data(stored: dict[str, Any]) -> dict[str, Any]:
    """The object as in a real event: numbers as strings (proto JSON), missing fields filled in.

    Raises KeyError when the bucket, the name or the generation is missing.
    """
    generation = str(stored["generation"])
    data = {
        **stored,
        "kind": "storage#object",
        # fake-gcs-server separates the generation with '#'; the service with '/'.
        "id": f"{stored['bucket']}/{stored['name']}/{generation}",
        "generation": generation,
        # A generation that was just finalized has its first metadata.
        "metageneration": str(stored.get("metageneration", 1)),
        "size": str(stored.get("size", 0)),
    }
    if "timeCreated" in data:
        data.setdefault("updated", data["timeCreated"])
        data.setdefault("timeStorageClassUpdated", data["timeCreated"])
    return data
