"""Uploads a recording to AssemblyAI, for a bucket out of the vendor's reach.

For a local bucket and a real key. An uploaded copy has a URL of its own, so `find` cannot recognize
an order after a lost answer in the vendor's list: the cloud uses signed URLs.
"""

from assemblyai.api import ENDPOINT_UPLOAD as UPLOADS

from lumimd.adapters.assemblyai.fields import json_object, text_of
from lumimd.adapters.assemblyai.transcriber import called, http_client
from lumimd.domain import errors
from lumimd.domain.codes import ErrorCode
from lumimd.policies import retry


async def uploaded(api_key: str, base_url: str, content: bytes) -> str:
    """The URL of the copy, retried by `retry.AUDIO`.

    Raises:
        Unreadable: the answer has no URL.
        Transient: AssemblyAI does not answer.
    """
    async with http_client(api_key, base_url) as client:

        async def make() -> str:
            response = await client.http_client.post(UPLOADS, content=content)
            url = text_of(json_object(response.content).get("upload_url"))
            if not url:
                raise errors.Unreadable(ErrorCode.TRANSCRIPTION_UNAVAILABLE)
            return url

        return await called(retry.AUDIO, make)
