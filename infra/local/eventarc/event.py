"""Converts a notification of fake-gcs-server into an event as Eventarc delivers it: pure.

A notification of Cloud Storage is a Pub/Sub message. The message's attributes name the event, and
the message's data is the object as in the JSON API. Eventarc turns the message into a CloudEvent in
binary mode: `ce-*` headers contain the attributes, and the body is the object (StorageObjectData).
"""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

FINALIZED = "google.cloud.storage.object.v1.finalized"

# Only space, double quote, percent and characters outside printable ASCII are percent-encoded in a
# header (CloudEvents HTTP binding 1.0.2, 3.1.3.2).
_UNENCODED = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')


class MalformedPush(ValueError):
    """The request is not a Pub/Sub push of a storage notification."""


@dataclass(frozen=True)
class CloudEvent:
    """A CloudEvent in binary mode: header values are encoded for HTTP, the body is UTF-8 JSON."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["ce-id"]


def finalized_event(push: bytes) -> CloudEvent | None:
    """Convert the body of a push request into a finalize event; return None for any other event.

    Raises MalformedPush for a body that is not a push, and for a finalize event without a
    readable object.
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
    """Build the finalize event of `stored`, an object in the format of the JSON API.

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
    # Content-Type is not a ce- attribute, so a space in its value is not encoded.
    encoded["content-type"] = "application/json"
    return CloudEvent(encoded, json.dumps(data).encode())


def storage_object_data(stored: dict[str, Any]) -> dict[str, Any]:
    """Return the object as in a real event: numbers as strings (proto JSON), no missing fields.

    Raises KeyError when the bucket, the name or the generation is missing.
    """
    generation = str(stored["generation"])
    data = {
        **stored,
        "kind": "storage#object",
        # fake-gcs-server separates the generation with '#', the real service with '/'.
        "id": f"{stored['bucket']}/{stored['name']}/{generation}",
        "generation": generation,
        # A generation that was just finalized has its first version of metadata.
        "metageneration": str(stored.get("metageneration", 1)),
        "size": str(stored.get("size", 0)),
    }
    if "timeCreated" in data:
        data.setdefault("updated", data["timeCreated"])
        data.setdefault("timeStorageClassUpdated", data["timeCreated"])
    return data
