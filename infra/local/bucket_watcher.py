"""Sends finalize events without Pub/Sub: polls the bucket and announces new objects.

The module is the stand-in for Eventarc on a machine without Java. Like Eventarc it repeats a
delivery until the function acknowledges the event.
"""

import asyncio
from hashlib import sha256
from typing import Any, Final, TextIO

import httpx

from infra.local.eventarc.event import finalized

LOOK_EVERY_S: Final = 0.3


async def announce_uploads(storage_url: str, bucket: str, target: str, log: TextIO) -> None:
    """Send a CloudEvent to `target` for each new generation of an object, until cancelled."""
    announced: set[tuple[str, str]] = set()
    async with httpx.AsyncClient(timeout=60) as http:
        while True:
            found = await http.get(f"{storage_url}/storage/v1/b/{bucket}/o")
            for item in found.json().get("items", []):
                version = item["name"], item["generation"]
                if version not in announced and await _announce(http, item, target, log):
                    announced.add(version)
            await asyncio.sleep(LOOK_EVERY_S)


async def _announce(
    http: httpx.AsyncClient, item: dict[str, Any], target: str, log: TextIO
) -> bool:
    """Send one event; return False if it was not acknowledged, so that the next poll repeats it."""
    # Hashed, because functions log event ids, and the object's name is private to the user.
    event_id = sha256(f"{item['name']}#{item['generation']}".encode()).hexdigest()[:16]
    event = finalized(item, event_id=event_id, time=item["timeCreated"])
    try:
        answer = await http.post(target, headers=event.headers, content=event.body)
    except httpx.TransportError as error:
        log.write(f"event {event_id}: {type(error).__name__}, will be delivered again\n")
        return False
    outcome = "" if answer.is_success else ", will be delivered again"
    log.write(f"event {event_id}: {answer.status_code}{outcome}\n")
    return answer.is_success
