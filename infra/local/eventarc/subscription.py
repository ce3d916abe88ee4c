"""Creates the topic and the push subscription that send storage events to the forwarder."""

import logging

import httpx
import tenacity

# The longest possible deadline, and longer than the 540 s limit of an event-triggered function.
ACK_DEADLINE_S = 600
# The emulator often starts at the same moment, and needs about three seconds to start.
EMULATOR_START_S = 60

log = logging.getLogger("infra.local.eventarc")


async def subscribe(emulator: str, project: str, topic: str, push_endpoint: str) -> None:
    """Create the topic and the subscription in the emulator (`host:port`), or change existing ones.

    The subscription has no retry policy, so that the emulator delivers every second until the
    push succeeds. With a retry policy the emulator permanently loses messages once about ten
    messages have failed for a few seconds. (Eventarc waits 10 to 600 s; a developer who restarts
    a function should not wait that long.)

    Raises httpx.TransportError when the emulator does not answer within EMULATOR_START_S, and
    httpx.HTTPStatusError when the emulator refuses.
    """
    parent = f"projects/{project}"
    subscription = f"/v1/{parent}/subscriptions/{topic}-eventarc"
    push_config = {"pushEndpoint": push_endpoint}
    # trust_env=False: a proxy set for this machine must not see requests to 127.0.0.1.
    async with httpx.AsyncClient(base_url=f"http://{emulator}", trust_env=False) as client:
        async for attempt in tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(httpx.TransportError),
            stop=tenacity.stop_after_delay(EMULATOR_START_S),
            wait=tenacity.wait_fixed(0.2),
            reraise=True,
        ):
            with attempt:
                created = await client.put(f"/v1/{parent}/topics/{topic}", json={})
        _expect_created_or_there(created)
        created = await client.put(
            subscription,
            json={
                "topic": f"{parent}/topics/{topic}",
                "pushConfig": push_config,
                "ackDeadlineSeconds": ACK_DEADLINE_S,
            },
        )
        _expect_created_or_there(created)
        if created.status_code == httpx.codes.CONFLICT:
            changed = await client.post(
                f"{subscription}:modifyPushConfig", json={"pushConfig": push_config}
            )
            changed.raise_for_status()
    log.info("topic %s pushes to %s", topic, push_endpoint)


def _expect_created_or_there(response: httpx.Response) -> None:
    if response.status_code != httpx.codes.CONFLICT:
        response.raise_for_status()
