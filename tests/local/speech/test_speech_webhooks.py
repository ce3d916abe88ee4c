"""The speech server delivers webhooks by AssemblyAI's rules."""

import pytest

from infra.local.speech.scripts import Script
from tests.local.speech.client import finished, sdk
from tests.support.speech_server import scripted_server

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_webhook_has_the_transcript_id_the_status_and_the_requested_header(
    server, client, receiver
):
    done = await finished(
        server,
        client,
        webhook_url=receiver.url,
        webhook_auth_header_name="X-Webhook-Secret",
        webhook_auth_header_value="s3cret",
    )
    ((headers, body),) = receiver.received
    assert body == {"transcript_id": done.id, "status": "completed"}
    assert headers["x-webhook-secret"] == "s3cret"
    assert (done.webhook_status_code, done.webhook_auth) == (200, True)


async def test_a_failed_job_calls_the_webhook(server, client, receiver):
    server.script(Script(error="broken"))
    done = await finished(server, client, webhook_url=receiver.url)
    ((_, body),) = receiver.received
    assert body == {"transcript_id": done.id, "status": "error"}


async def test_a_webhook_answered_with_5xx_is_delivered_again(server, client, receiver):
    receiver.answers = [500, 503]
    await finished(server, client, webhook_url=receiver.url)
    assert len(receiver.received) == 3


async def test_a_webhook_answered_with_4xx_is_not_delivered_again(server, client, receiver):
    receiver.answers = [500, 404]
    done = await finished(server, client, webhook_url=receiver.url)
    assert len(receiver.received) == 2
    assert done.webhook_status_code == 404


async def test_a_failing_webhook_is_attempted_ten_times_at_most(server, client, receiver):
    receiver.answers = [500] * 20
    await finished(server, client, webhook_url=receiver.url)
    assert len(receiver.received) == 10


async def test_a_refused_webhook_connection_counts_as_an_attempt(server, client):
    done = await finished(server, client, webhook_url="http://127.0.0.1:9/hook")
    deliveries = server.state.book.get(done.id).deliveries
    assert [each.status for each in deliveries] == [None] * 10


async def test_a_script_can_deliver_duplicate_webhooks(server, client, receiver):
    server.script(Script(webhook_copies=3))
    done = await finished(server, client, webhook_url=receiver.url)
    assert [body["transcript_id"] for _, body in receiver.received] == [done.id] * 3


async def test_a_script_or_a_server_option_disables_webhooks(server, client, receiver):
    server.script(Script(webhook=False))
    await finished(server, client, webhook_url=receiver.url)
    async with scripted_server(webhooks=False) as silent, sdk(silent) as other:
        await finished(silent, other, webhook_url=receiver.url)
    assert receiver.received == []
